//! What a request demands: actions on resources, and the facts of the request that
//! conditions may speak of. All of it is read from the request alone.

use kiln_jobs::Identity;
use kiln_policy::Context;
use kiln_store::principals::PrincipalKind;
use serde_json::Value;

use super::SAGEMAKER;

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// What a refusal calls the resource, where that is not its ARN.
    called: Option<String>,
    pub(crate) context: Context,
}

impl Demand {
    fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            called: None,
            context: Context::default(),
        }
    }

    /// A demand on everything.
    pub(crate) fn of_all(prefix: &str, operation: &str) -> Self {
        Self::new(format!("{prefix}:{operation}"), "*")
    }

    /// What a refusal calls the resource.
    pub(crate) fn called(&self) -> &str {
        self.called.as_deref().unwrap_or(&self.resource)
    }

    /// Adds the tags that the resource has.
    pub(crate) fn add_tags(&mut self, tags: &[(String, String)]) {
        for (key, value) in tags {
            for name in ["aws:ResourceTag", "sagemaker:ResourceTag"] {
                self.context.add(&format!("{name}/{key}"), value.as_str());
            }
        }
    }
}

/// What operations on one resource end with, which member names it, and what it is
/// called in ARNs.
const RESOURCES: [(&str, &str, &str); 4] = [
    ("TrainingJob", "TrainingJobName", "training-job"),
    ("CompilationJob", "CompilationJobName", "compilation-job"),
    ("OptimizationJob", "OptimizationJobName", "optimization-job"),
    ("Model", "ModelName", "model"),
];

/// The demands of a request to SageMaker.
pub(crate) fn of_sagemaker(operation: &str, input: &Value, identity: &Identity) -> Vec<Demand> {
    let resource = sagemaker_resource(operation, input, identity);
    let mut first = Demand::new(format!("sagemaker:{operation}"), resource.clone());
    first.context = sagemaker_context(input);
    let tagged = input.get("Tags").and_then(Value::as_array);
    let creates = operation.starts_with("Create");
    let mut all = vec![first];
    if creates && tagged.is_some_and(|tags| !tags.is_empty()) {
        let mut tags = Demand::new("sagemaker:AddTags", resource.clone());
        tags.context = tag_context(input);
        all.push(tags);
    }
    if let Some(role) = passed_role(operation, input).filter(|_| creates) {
        let mut pass = Demand::new("iam:PassRole", role);
        pass.context = Context::default()
            .with("iam:PassedToService", SAGEMAKER)
            .with("iam:AssociatedResourceArn", resource);
        all.push(pass);
    }
    all
}

/// The ARN of the role that an operation passes on which creates something.
pub(super) fn passed_role<'a>(operation: &str, input: &'a Value) -> Option<&'a str> {
    let member = match operation {
        "CreateModel" => "ExecutionRoleArn",
        _ => "RoleArn",
    };
    input.get(member).and_then(Value::as_str)
}

/// What an operation is about. A member that another operation would look at says
/// nothing here.
pub(super) fn sagemaker_resource(operation: &str, input: &Value, identity: &Identity) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
    if matches!(operation, "AddTags" | "ListTags" | "DeleteTags") {
        return text("ResourceArn").to_owned();
    }
    let mut all = RESOURCES.iter();
    let Some((_, member, kind)) = all.find(|(end, ..)| operation.ends_with(end)) else {
        return "*".to_owned();
    };
    let name = text(member);
    let name = match *kind {
        // As its ARN spells it.
        "training-job" | "model" => name.to_lowercase(),
        _ => name.to_owned(),
    };
    format!(
        "arn:{}:sagemaker:{}:{}:{kind}/{name}",
        identity.region.partition(),
        identity.region,
        identity.account
    )
}

/// Members of a request that have a condition key of their own.
const SETTINGS: [(&str, &str); 10] = [
    ("/OutputDataConfig/KmsKeyId", "sagemaker:OutputKmsKey"),
    ("/OutputConfig/KmsKeyId", "sagemaker:OutputKmsKey"),
    ("/ResourceConfig/VolumeKmsKeyId", "sagemaker:VolumeKmsKey"),
    ("/ResourceConfig/InstanceType", "sagemaker:InstanceTypes"),
    (
        "/ResourceConfig/KeepAlivePeriodInSeconds",
        "sagemaker:KeepAlivePeriod",
    ),
    ("/VpcConfig/Subnets", "sagemaker:VpcSubnets"),
    (
        "/VpcConfig/SecurityGroupIds",
        "sagemaker:VpcSecurityGroupIds",
    ),
    ("/EnableNetworkIsolation", "sagemaker:NetworkIsolation"),
    (
        "/EnableInterContainerTrafficEncryption",
        "sagemaker:InterContainerTrafficEncryption",
    ),
    (
        "/StoppingCondition/MaxRuntimeInSeconds",
        "sagemaker:MaxRuntimeInSeconds",
    ),
];

fn sagemaker_context(input: &Value) -> Context {
    let mut context = tag_context(input);
    for (place, key) in SETTINGS {
        add_values(&mut context, key, input.pointer(place));
    }
    let groups = input.pointer("/ResourceConfig/InstanceGroups");
    for group in groups.and_then(Value::as_array).into_iter().flatten() {
        add_values(
            &mut context,
            "sagemaker:InstanceTypes",
            group.get("InstanceType"),
        );
    }
    context
}

fn add_values(context: &mut Context, key: &str, value: Option<&Value>) {
    match value {
        Some(Value::String(text)) => context.add(key, text.as_str()),
        Some(Value::Array(all)) => context.add_all(key, all.iter().filter_map(Value::as_str)),
        Some(Value::Number(number)) => context.add(key, number.to_string()),
        Some(Value::Bool(truth)) => context.add(key, truth.to_string()),
        _ => {}
    }
}

/// The tags that a request gives or takes away.
fn tag_context(input: &Value) -> Context {
    let mut context = Context::default();
    for tag in input
        .get("Tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |name: &str| tag.get(name).and_then(Value::as_str);
        if let (Some(key), Some(value)) = (text("Key"), text("Value")) {
            context.add("aws:TagKeys", key);
            context.add(&format!("aws:RequestTag/{key}"), value);
        }
    }
    add_values(&mut context, "aws:TagKeys", input.get("TagKeys"));
    context
}

/// Operations of CloudWatch Logs on one stream; others are about whole groups.
const ON_STREAMS: [&str; 4] = [
    "CreateLogStream",
    "DeleteLogStream",
    "GetLogEvents",
    "PutLogEvents",
];
/// The members that name a group, some of them by its ARN.
const GROUPS: [&str; 3] = ["logGroupName", "logGroupIdentifier", "resourceArn"];

/// The demands of a request to CloudWatch Logs: of every group that it names, because
/// operations differ in which member they look at first.
pub(crate) fn of_logs(operation: &str, input: &Value, identity: &Identity) -> Vec<Demand> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let stream = text("logStreamName").filter(|_| ON_STREAMS.contains(&operation));
    let stream = stream.unwrap_or_default();
    let mut groups: Vec<&str> = GROUPS.iter().filter_map(|name| text(name)).collect();
    groups.dedup();
    if groups.is_empty() {
        groups.push("");
    }
    let demand = |group: &str| {
        let name = group
            .split_once(":log-group:")
            .map_or(group, |(_, name)| name);
        let resource = format!(
            "arn:{}:logs:{}:{}:log-group:{}:log-stream:{stream}",
            identity.region.partition(),
            identity.region,
            identity.account,
            name.trim_end_matches(":*"),
        );
        Demand::new(format!("logs:{operation}"), resource)
    };
    groups.into_iter().map(demand).collect()
}

/// The demand of a request to CloudWatch. To which namespace metrics are put is a fact
/// that conditions may speak of.
pub(crate) fn of_cloudwatch(operation: &str, input: &Value) -> Demand {
    let mut demand = Demand::of_all("cloudwatch", operation);
    if operation == "PutMetricData" {
        add_values(
            &mut demand.context,
            "cloudwatch:namespace",
            input.get("Namespace"),
        );
    }
    demand
}

/// The demand of a request to IAM, whose parameters `parameter` knows. Some are about
/// the caller's own user unless they name another. Users and roles that are there have
/// ARNs that `found` knows, however the request spells their names.
pub(crate) fn of_iam(
    operation: &str,
    parameter: &dyn Fn(&str) -> Option<String>,
    own: Option<&str>,
    found: &dyn Fn(PrincipalKind, &str) -> Option<String>,
    identity: &Identity,
) -> Vec<Demand> {
    let (resource, called) = iam_resource(operation, parameter, own, found, identity);
    let mut demand = Demand::new(format!("iam:{operation}"), resource);
    // Who makes a user or a role is told its ARN.
    demand.called = called.filter(|_| !matches!(operation, "CreateUser" | "CreateRole"));
    if let Some(policy) = parameter("PolicyArn") {
        demand.context.add("iam:PolicyARN", policy);
    }
    vec![demand]
}

/// The ARN of what a request to IAM is about, and what a refusal calls it where that is
/// something else.
fn iam_resource(
    operation: &str,
    parameter: &dyn Fn(&str) -> Option<String>,
    own: Option<&str>,
    found: &dyn Fn(PrincipalKind, &str) -> Option<String>,
    identity: &Identity,
) -> (String, Option<String>) {
    let given = |name: &str| parameter(name).unwrap_or_default();
    let path = |name: &str| parameter(name).unwrap_or_else(|| "/".to_owned());
    let new = |kind: &str, name: &str| iam_arn(identity, kind, Some(&path("Path")), name);
    let entity = |kind: PrincipalKind, name: String| {
        let arn = found(kind, &name).unwrap_or_else(|| new(kind.as_str(), &name));
        (arn, Some(format!("{} {name}", kind.as_str())))
    };
    let all = |kind: &str| iam_arn(identity, kind, Some(&path("PathPrefix")), "");
    match Subject::of(operation) {
        Subject::Role => entity(PrincipalKind::Role, given("RoleName")),
        Subject::User => {
            let name = parameter("UserName").or_else(|| own.map(str::to_owned));
            entity(PrincipalKind::User, name.unwrap_or_default())
        }
        Subject::Simulated => (given("PolicySourceArn"), None),
        Subject::NewPolicy => {
            let name = given("PolicyName");
            (new("policy", &name), Some(format!("policy {name}")))
        }
        Subject::Policy => {
            let arn = given("PolicyArn");
            (arn.clone(), Some(format!("policy {arn}")))
        }
        Subject::Users => (all("user"), None),
        Subject::Roles => (all("role"), None),
        Subject::Policies => (
            "*".to_owned(),
            Some(format!("policy path {}", path("PathPrefix"))),
        ),
        Subject::All => ("*".to_owned(), None),
    }
}

/// What an operation of IAM is about.
enum Subject {
    User,
    Role,
    Policy,
    NewPolicy,
    /// Whom a simulation is about.
    Simulated,
    /// All users, or all roles, below a path.
    Users,
    Roles,
    Policies,
    All,
}

impl Subject {
    fn of(operation: &str) -> Self {
        match operation {
            "SimulatePrincipalPolicy" => Self::Simulated,
            "CreatePolicy" => Self::NewPolicy,
            "DeletePolicy" | "GetPolicy" | "GetPolicyVersion" | "ListPolicyVersions" => {
                Self::Policy
            }
            "ListUsers" => Self::Users,
            "ListRoles" => Self::Roles,
            "ListPolicies" => Self::Policies,
            "GetAccessKeyLastUsed" => Self::All,
            role if role.contains("Role") => Self::Role,
            user if user.contains("User") || user.contains("AccessKey") => Self::User,
            _ => Self::All,
        }
    }
}

/// `arn:<partition>:iam::<account>:<kind><path><name>`, where a path begins and ends
/// with a slash.
pub(crate) fn iam_arn(identity: &Identity, kind: &str, path: Option<&str>, name: &str) -> String {
    format!(
        "arn:{}:iam::{}:{kind}{}{name}",
        identity.region.partition(),
        identity.account,
        path.unwrap_or("/")
    )
}

/// The demand of a request to S3. Keys are listed in a bucket, and the prefix is a
/// fact that conditions may speak of.
pub(crate) fn of_s3(access: &kiln_s3::Access<'_>, identity: &Identity) -> Demand {
    let listing = matches!(
        access.action,
        "s3:ListBucket" | "s3:ListBucketMultipartUploads"
    );
    let start = format!("arn:{}:s3:::", identity.region.partition());
    let resource = match (access.bucket, access.key) {
        (Some(bucket), Some(key)) if !listing => format!("{start}{bucket}/{key}"),
        (Some(bucket), _) => format!("{start}{bucket}"),
        (None, _) => format!("{start}*"),
    };
    let mut demand = Demand::new(access.action, resource);
    if let Some(prefix) = access.key.filter(|_| listing) {
        demand.context.add("s3:prefix", prefix);
    }
    demand
}

#[cfg(test)]
#[path = "demand_tests.rs"]
mod tests;
