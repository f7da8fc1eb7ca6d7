//! Tables: what requests demand.

use serde_json::json;

use super::*;

fn identity() -> Identity {
    Identity {
        region: "us-east-1".parse().unwrap(),
        account: "123456789012".parse().unwrap(),
    }
}

fn pairs(demands: &[Demand]) -> Vec<(&str, &str)> {
    let all = demands.iter();
    all.map(|demand| (demand.action.as_str(), demand.resource.as_str()))
        .collect()
}

#[test]
fn a_request_about_a_job_demands_it() {
    let job = "arn:aws:sagemaker:us-east-1:123456789012:training-job/my-job";
    let compilation = "arn:aws:sagemaker:us-east-1:123456789012:compilation-job/My-Job";
    let optimization = "arn:aws:sagemaker:us-east-1:123456789012:optimization-job/My-Job";
    let model = "arn:aws:sagemaker:us-east-1:123456789012:model/my-model";
    let role = "arn:aws:iam::123456789012:role/r";
    let named = json!({"TrainingJobName": "My-Job", "RoleArn": role});
    let tagged = json!({"TrainingJobName": "my-job", "RoleArn": role,
        "Tags": [{"Key": "team", "Value": "vision"}]});
    let cases = [
        (
            "DescribeTrainingJob",
            named.clone(),
            vec![("sagemaker:DescribeTrainingJob", job)],
        ),
        (
            "CreateTrainingJob",
            named,
            vec![("sagemaker:CreateTrainingJob", job), ("iam:PassRole", role)],
        ),
        (
            "CreateTrainingJob",
            tagged,
            vec![
                ("sagemaker:CreateTrainingJob", job),
                ("sagemaker:AddTags", job),
                ("iam:PassRole", role),
            ],
        ),
        (
            "StopCompilationJob",
            json!({"CompilationJobName": "My-Job"}),
            vec![("sagemaker:StopCompilationJob", compilation)],
        ),
        (
            "CreateOptimizationJob",
            json!({"OptimizationJobName": "My-Job", "RoleArn": role}),
            vec![
                ("sagemaker:CreateOptimizationJob", optimization),
                ("iam:PassRole", role),
            ],
        ),
        (
            "CreateModel",
            json!({"ModelName": "My-Model", "ExecutionRoleArn": role}),
            vec![("sagemaker:CreateModel", model), ("iam:PassRole", role)],
        ),
        // What another operation would pass on is of no use to who wants another role.
        (
            "CreateModel",
            json!({"ModelName": "My-Model", "RoleArn": role}),
            vec![("sagemaker:CreateModel", model)],
        ),
        (
            "ListModels",
            json!({"ModelName": "My-Model"}),
            vec![("sagemaker:ListModels", "*")],
        ),
        (
            "AddTags",
            json!({"ResourceArn": job}),
            vec![("sagemaker:AddTags", job)],
        ),
        (
            "ListTrainingJobs",
            json!({"NameContains": "a"}),
            vec![("sagemaker:ListTrainingJobs", "*")],
        ),
        ("Search", json!([]), vec![("sagemaker:Search", "*")]),
        // What another operation would look at is of no use to who wants more.
        (
            "StopTrainingJob",
            json!({"TrainingJobName": "my-job", "ResourceArn": compilation}),
            vec![("sagemaker:StopTrainingJob", job)],
        ),
        (
            "ListTags",
            json!({"TrainingJobName": "my-job", "ResourceArn": compilation}),
            vec![("sagemaker:ListTags", compilation)],
        ),
        (
            "ListTrainingJobs",
            json!({"TrainingJobName": "my-job"}),
            vec![("sagemaker:ListTrainingJobs", "*")],
        ),
    ];
    for (operation, input, expected) in cases {
        let found = of_sagemaker(operation, &input, &identity());
        assert_eq!(pairs(&found), expected, "{operation}");
    }
}

#[test]
fn conditions_can_speak_of_what_a_job_is_to_be() {
    let input = json!({
        "TrainingJobName": "j",
        "Tags": [{"Key": "team", "Value": "vision"}, {"Key": 5}],
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceGroups": [
            {"InstanceType": "ml.g5.xlarge"}]},
        "VpcConfig": {"Subnets": ["a", "b"]},
        "EnableNetworkIsolation": true,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    });
    let context = of_sagemaker("CreateTrainingJob", &input, &identity())[0]
        .context
        .clone();
    let expected = [
        ("aws:RequestTag/team", vec!["vision"]),
        ("aws:TagKeys", vec!["team"]),
        (
            "sagemaker:InstanceTypes",
            vec!["ml.m5.large", "ml.g5.xlarge"],
        ),
        ("sagemaker:VpcSubnets", vec!["a", "b"]),
        ("sagemaker:NetworkIsolation", vec!["true"]),
        ("sagemaker:MaxRuntimeInSeconds", vec!["60"]),
    ];
    for (key, values) in expected {
        let found = context.get(key).unwrap_or_default();
        assert_eq!(found, values, "{key}");
    }
    assert_eq!(context.get("sagemaker:OutputKmsKey"), None);
}

#[test]
fn logs_are_named_by_group_and_stream() {
    let start = "arn:aws:logs:us-east-1:123456789012:log-group:";
    let named = json!({"logGroupName": "/a", "logStreamName": "s"});
    let cases = [
        ("DescribeLogGroups", json!({}), ":log-stream:"),
        ("GetLogEvents", named.clone(), "/a:log-stream:s"),
        ("FilterLogEvents", named.clone(), "/a:log-stream:"),
        (
            "GetLogEvents",
            json!({"logGroupIdentifier": format!("{start}/a:*"), "logStreamName": "s"}),
            "/a:log-stream:s",
        ),
        (
            "TagResource",
            json!({"resourceArn": format!("{start}/a")}),
            "/a:log-stream:",
        ),
    ];
    for (operation, input, end) in cases {
        let found = of_logs(operation, &input, &identity());
        let expected = (format!("logs:{operation}"), format!("{start}{end}"));
        assert_eq!(pairs(&found), [(&*expected.0, &*expected.1)]);
    }
}

#[test]
fn whatever_names_a_log_group_is_demanded() {
    let start = "arn:aws:logs:us-east-1:123456789012:log-group:";
    let input = json!({"resourceArn": format!("{start}/open"), "logGroupName": "/secret"});
    for operation in ["TagResource", "TagLogGroup", "GetLogEvents"] {
        let found = of_logs(operation, &input, &identity());
        let resources: Vec<&str> = found.iter().map(|one| one.resource.as_str()).collect();
        let expected = ["/secret", "/open"].map(|group| format!("{start}{group}:log-stream:"));
        assert_eq!(resources, expected, "{operation}");
    }
}

#[test]
fn requests_to_iam_demand_what_they_name() {
    let start = "arn:aws:iam::123456789012";
    let found =
        |_: PrincipalKind, name: &str| (name == "there").then(|| format!("{start}:user/a/There"));
    let cases = [
        ("GetUser", vec![], "user/me"),
        ("CreateAccessKey", vec![], "user/me"),
        ("GetUser", vec![("UserName", "u")], "user/u"),
        ("GetUser", vec![("UserName", "there")], "user/a/There"),
        (
            "CreateRole",
            vec![("RoleName", "r"), ("Path", "/p/")],
            "role/p/r",
        ),
        ("CreatePolicy", vec![("PolicyName", "p")], "policy/p"),
        (
            "ListUserPolicies",
            vec![("RoleName", "r"), ("UserName", "u")],
            "user/u",
        ),
        (
            "PutRolePolicy",
            vec![("UserName", "u"), ("RoleName", "r")],
            "role/r",
        ),
        (
            "AttachRolePolicy",
            vec![("RoleName", "r"), ("PolicyArn", "x")],
            "role/r",
        ),
    ];
    for (operation, parameters, resource) in cases {
        let parameter = |wanted: &str| {
            let mut given = parameters.iter();
            let found = given.find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        let demands = of_iam(operation, &parameter, Some("me"), &found, &identity());
        let action = format!("iam:{operation}");
        let resource = format!("{start}:{resource}");
        assert_eq!(pairs(&demands), [(&*action, &*resource)]);
    }
    for operation in [
        "ListPolicies",
        "GetAccessKeyLastUsed",
        "SimulateCustomPolicy",
    ] {
        let all = |name: &str| Some(name.to_owned());
        let demands = of_iam(operation, &all, Some("me"), &found, &identity());
        assert_eq!(pairs(&demands), [(&*format!("iam:{operation}"), "*")]);
    }
}

#[test]
fn refusals_of_iam_call_things_as_aws_does() {
    let start = "arn:aws:iam::123456789012";
    let cases = [
        ("GetUser", "user me".to_owned()),
        ("CreateUser", format!("{start}:user/me")),
        ("CreateAccessKey", "user me".to_owned()),
        ("CreateRole", format!("{start}:role/r")),
        ("AttachRolePolicy", "role r".to_owned()),
        ("CreatePolicy", "policy p".to_owned()),
        ("GetPolicy", "policy a:b".to_owned()),
        ("ListPolicies", "policy path /".to_owned()),
        ("ListUsers", format!("{start}:user/")),
        ("ListRoles", format!("{start}:role/")),
    ];
    let parameter = |name: &str| match name {
        "RoleName" => Some("r".to_owned()),
        "PolicyName" => Some("p".to_owned()),
        "PolicyArn" => Some("a:b".to_owned()),
        _ => None,
    };
    for (operation, called) in cases {
        let demands = of_iam(operation, &parameter, Some("me"), &|_, _| None, &identity());
        assert_eq!(demands[0].called(), called, "{operation}");
    }
}

#[test]
fn keys_are_listed_in_a_bucket() {
    let access = |action, bucket, key| kiln_s3::Access {
        action,
        bucket,
        key,
    };
    let cases = [
        (
            access("s3:GetObject", Some("b"), Some("k/l")),
            "arn:aws:s3:::b/k/l",
            None,
        ),
        (
            access("s3:ListBucket", Some("b"), Some("k/")),
            "arn:aws:s3:::b",
            Some("k/"),
        ),
        (
            access("s3:ListBucket", Some("b"), None),
            "arn:aws:s3:::b",
            None,
        ),
        (
            access("s3:CreateBucket", Some("b"), None),
            "arn:aws:s3:::b",
            None,
        ),
        (
            access("s3:ListAllMyBuckets", None, None),
            "arn:aws:s3:::*",
            None,
        ),
    ];
    for (access, resource, prefix) in cases {
        let demand = of_s3(&access, &identity());
        assert_eq!(
            (&*demand.action, &*demand.resource),
            (access.action, resource)
        );
        let found = demand.context.get("s3:prefix");
        assert_eq!(found.map(|found| found[0].as_str()), prefix);
    }
}

#[test]
fn only_what_puts_metrics_speaks_of_their_namespace() {
    let input = json!({"Namespace": "Mine"});
    let put = of_cloudwatch("PutMetricData", &input);
    let expected = Context::default().with("cloudwatch:namespace", "Mine");
    assert_eq!((put.resource.as_str(), put.context), ("*", expected));
    assert_eq!(
        of_cloudwatch("ListMetrics", &input).context,
        Context::default()
    );
}
