//! The policies of AWS's own that Kiln knows, by their ARNs.

/// The document of a policy that AWS manages; `None` for one that Kiln does not
/// know, so that nobody takes it for granted.
#[must_use]
pub fn document(arn: &str) -> Option<&'static str> {
    match arn
        .strip_prefix("arn:aws")?
        .split_once(":iam::aws:policy/")?
    {
        // A name has one spelling in each partition.
        (partition, name) if PARTITIONS.contains(&partition) => named(name),
        _ => None,
    }
}

/// What the partitions are called after `aws`.
const PARTITIONS: [&str; 7] = ["", "-cn", "-us-gov", "-iso", "-iso-b", "-iso-e", "-iso-f"];

fn named(name: &str) -> Option<&'static str> {
    match name {
        "AdministratorAccess" => Some(ADMINISTRATOR),
        "AmazonSageMakerFullAccess" => Some(SAGEMAKER),
        _ => None,
    }
}

const ADMINISTRATOR: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
}"#;

/// Those of its rights that have a meaning here: SageMaker, logs and metrics, the
/// buckets and objects with its name, and to pass roles on to it.
const SAGEMAKER: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["sagemaker:*", "sagemaker-geospatial:*"],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": [
        "cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics", "cloudwatch:ListMetrics",
        "cloudwatch:PutMetricData", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage",
        "ecr:Describe*", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
        "iam:ListRoles", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:Describe*",
        "logs:FilterLogEvents", "logs:GetLogDelivery", "logs:GetLogEvents", "logs:PutLogEvents"
      ],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
      "Resource": [
        "arn:aws:s3:::*SageMaker*", "arn:aws:s3:::*Sagemaker*", "arn:aws:s3:::*sagemaker*",
        "arn:aws:s3:::*aws-glue*"
      ]
    },
    {
      "Effect": "Allow",
      "Action": [
        "s3:CreateBucket", "s3:GetBucketLocation", "s3:ListBucket", "s3:ListAllMyBuckets",
        "s3:GetBucketCors", "s3:PutBucketCors"
      ],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": ["iam:PassRole"],
      "Resource": "arn:aws:iam::*:role/*AmazonSageMaker*",
      "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    }
  ]
}"#;
