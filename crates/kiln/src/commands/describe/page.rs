//! A job as a page for people.

use serde_json::Value;

use super::job::{Job, elements};
use crate::commands::kind::Kind;
use crate::terminal::{FAINT, STRONG, clock, painted, plain, span, status_style};

/// Wide enough for most names, so that sections line up.
const NAME_WIDTH: usize = 12;
/// Below a fact, where its further lines stand.
const BELOW: &str = "\n              ";

/// All that there is to see of a job.
pub fn page(job: &Job, now: f64) -> String {
    [
        heading(job, now),
        timeline(job, now),
        inputs(job),
        hyperparameters(job),
        results(job),
    ]
    .concat()
}

/// What came out of a job: its metrics, and where its model and its other outputs are.
pub fn results(job: &Job) -> String {
    metrics(job) + &artifacts(job)
}

fn heading(job: &Job, now: f64) -> String {
    let status = painted(status_style(job.status()), job.status());
    let mut lines = format!("{}  {status}\n", painted(STRONG, job.name()));
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            lines += &format!("  {name:<11} {}\n", value.replace('\n', BELOW));
        }
    };
    if job.stage() != job.status() {
        fact("Stage", job.stage().to_owned());
    }
    fact("Reason", plain(job.text("FailureReason").trim_end()));
    let described = job.described();
    let image = described["AlgorithmSpecification"]["TrainingImage"].as_str();
    fact("Image", image.unwrap_or_default().to_owned());
    if job.kind() == Kind::Compilation {
        fact("Framework", text(&described["InputConfig"], "Framework"));
        fact("Target", target(&described["OutputConfig"]));
    } else {
        fact("Instances", job.instances());
    }
    if let (Some(created), Some(age)) = (job.number("CreationTime"), job.age(now)) {
        let age = painted(FAINT, format!("({} ago)", span(age)));
        fact("Created", format!("{} {age}", clock(created)));
    }
    fact("Duration", job.duration(now).map_or_else(String::new, span));
    if described["EnableManagedSpotTraining"] == true {
        fact("Capacity", "spot".to_owned());
    }
    let checkpoints = described["CheckpointConfig"]["S3Uri"].as_str();
    fact("Checkpoints", checkpoints.unwrap_or_default().to_owned());
    lines
}

/// What a compilation is for: a device, or an operating system and what it runs on.
fn target(output: &Value) -> String {
    let platform = &output["TargetPlatform"];
    let parts = [
        text(output, "TargetDevice"),
        text(platform, "Os"),
        text(platform, "Arch"),
        text(platform, "Accelerator"),
    ];
    let named: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    named.join(" ")
}

fn timeline(job: &Job, now: f64) -> String {
    let lines = job.list("SecondaryStatusTransitions").iter().map(|stage| {
        let status = text(stage, "Status");
        let status = painted(status_style(&status), format!("{status:<NAME_WIDTH$}"));
        let lasted = lasted(stage, now).map_or_else(String::new, span);
        let message = painted(FAINT, plain(&text(stage, "StatusMessage")));
        format!("  {status} {lasted:>8}  {message}\n")
    });
    section("Timeline", lines)
}

/// How long a stage lasted. The last one of a job that has ended lasts no time.
fn lasted(stage: &Value, now: f64) -> Option<f64> {
    let start = stage["StartTime"].as_f64()?;
    match stage["EndTime"].as_f64() {
        Some(end) if end > start => Some(end - start),
        Some(_) => None,
        None => Some(now - start),
    }
}

fn inputs(job: &Job) -> String {
    let channels = job.list("InputDataConfig").iter();
    let channels = channels.map(|channel| {
        let source = &channel["DataSource"];
        let objects = source["S3DataSource"]["S3Uri"].as_str();
        let files = source["FileSystemDataSource"]["DirectoryPath"].as_str();
        (
            text(channel, "ChannelName"),
            objects.or(files).unwrap_or("-").to_owned(),
        )
    });
    let described = job.described();
    // The only input of jobs of other kinds.
    let models = [
        &described["InputConfig"]["S3Uri"],
        &described["ModelSource"]["S3"]["S3Uri"],
        &described["ModelSource"]["SageMakerModel"]["ModelName"],
    ];
    let models = models.into_iter().filter_map(Value::as_str);
    let models = models.map(|place| ("model".to_owned(), place.to_owned()));
    pairs("Inputs", channels.chain(models))
}

/// The hyperparameters, without those that only the SDK and the toolkit use.
fn hyperparameters(job: &Job) -> String {
    let all = job.described()["HyperParameters"].as_object();
    let own = all.into_iter().flatten();
    let own = own.filter(|(name, _)| !name.starts_with("sagemaker_"));
    let own =
        own.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    pairs("Hyperparameters", own)
}

fn metrics(job: &Job) -> String {
    let found = job.list("FinalMetricDataList").iter();
    let found = found.map(|metric| {
        // The API's values are short floating point numbers.
        let value = metric["Value"].as_f64().unwrap_or_default() as f32;
        (text(metric, "MetricName"), value.to_string())
    });
    pairs("Metrics", found)
}

fn artifacts(job: &Job) -> String {
    let described = job.described();
    let model = described["ModelArtifacts"]["S3ModelArtifacts"].as_str();
    // A compilation that failed has an empty one.
    let model = model.filter(|place| !place.is_empty());
    let trained = described["OutputDataConfig"]["S3OutputPath"].as_str();
    let output = trained.or(described["OutputConfig"]["S3OutputLocation"].as_str());
    let places = [
        ("Model", model),
        // Before there is a model, one looks where it will be.
        ("Output", output.filter(|_| model.is_none())),
        (
            "Tensors",
            described["DebugHookConfig"]["S3OutputPath"].as_str(),
        ),
        (
            "Profile",
            described["ProfilerConfig"]["S3OutputPath"].as_str(),
        ),
    ];
    let places = places.into_iter();
    let places = places.filter_map(|(name, place)| Some((name.to_owned(), place?.to_owned())));
    let rules = elements(&described["DebugRuleEvaluationStatuses"]).iter();
    let rules = rules.map(|rule| {
        (
            text(rule, "RuleConfigurationName"),
            text(rule, "RuleEvaluationStatus"),
        )
    });
    pairs("Artifacts", places) + &pairs("Rules", rules)
}

/// A section of names and values.
fn pairs(title: &str, pairs: impl Iterator<Item = (String, String)>) -> String {
    let pairs: Vec<_> = pairs.collect();
    let widest = pairs.iter().map(|(name, _)| name.chars().count()).max();
    let width = widest.unwrap_or(0).max(NAME_WIDTH);
    let lines = pairs
        .iter()
        .map(|(name, value)| format!("  {name:<width$} {value}\n"));
    section(title, lines)
}

fn section(title: &str, lines: impl Iterator<Item = String>) -> String {
    let body: String = lines.collect();
    if body.is_empty() {
        return body;
    }
    format!("\n{}\n{body}", painted(STRONG, title))
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(kind: Kind, job: Value) -> String {
        let page = page(&Job::new(kind, job), 100.0);
        anstream::adapter::strip_str(&page).to_string()
    }

    #[test]
    fn a_page_tells_all_about_a_job() {
        let page = plain(
            Kind::Training,
            json!({
                "TrainingJobName": "job-1", "TrainingJobStatus": "Failed", "SecondaryStatus": "Failed",
                "FailureReason": "AlgorithmError: no\nExit code 3", "CreationTime": 40.0,
                "TrainingStartTime": 50.0, "TrainingEndTime": 92.0,
                "AlgorithmSpecification": {"TrainingImage": "busybox"},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
                "SecondaryStatusTransitions": [
                    {"Status": "Training", "StartTime": 50.0, "EndTime": 92.0, "StatusMessage": "It runs"},
                    {"Status": "Failed", "StartTime": 92.0, "EndTime": 92.0, "StatusMessage": "It failed"},
                ],
                "InputDataConfig": [{"ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3Uri": "s3://b/d/"}}}],
                "HyperParameters": {"rounds": "5", "sagemaker_program": "x"},
                "FinalMetricDataList": [{"MetricName": "loss", "Value": 0.25}],
                "ModelArtifacts": {"S3ModelArtifacts": "s3://b/m.tar.gz"},
            }),
        );
        assert_eq!(
            page,
            "job-1  Failed\n\
             \x20 Reason      AlgorithmError: no\n\
             \x20             Exit code 3\n\
             \x20 Image       busybox\n\
             \x20 Instances   ml.m5.large\n\
             \x20 Created     1970-01-01 00:00:40 UTC (1m 0s ago)\n\
             \x20 Duration    42s\n\
             \nTimeline\n\
             \x20 Training          42s  It runs\n\
             \x20 Failed                 It failed\n\
             \nInputs\n\
             \x20 train        s3://b/d/\n\
             \nHyperparameters\n\
             \x20 rounds       5\n\
             \nMetrics\n\
             \x20 loss         0.25\n\
             \nArtifacts\n\
             \x20 Model        s3://b/m.tar.gz\n"
        );
    }

    #[test]
    fn what_a_job_has_not_is_not_shown() {
        let page = plain(
            Kind::Training,
            json!({"TrainingJobName": "j", "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Pending"}),
        );
        assert_eq!(
            page,
            "j  InProgress\n  Stage       Pending\n  Instances   -\n"
        );
    }

    #[test]
    fn a_page_tells_what_a_model_was_made_for() {
        let page = plain(
            Kind::Compilation,
            json!({
                "CompilationJobName": "c", "CompilationJobStatus": "COMPLETED",
                "CompilationStartTime": 50.0, "CompilationEndTime": 52.0,
                "InputConfig": {"S3Uri": "s3://b/m.tar.gz", "Framework": "XGBOOST"},
                "OutputConfig": {"S3OutputLocation": "s3://b/out",
                    "TargetPlatform": {"Os": "LINUX", "Arch": "ARM64"}},
                "ModelArtifacts": {"S3ModelArtifacts": "s3://b/out/m.tar.gz"},
            }),
        );
        assert_eq!(
            page,
            "c  COMPLETED\n\
             \x20 Framework   XGBOOST\n\
             \x20 Target      LINUX ARM64\n\
             \x20 Duration    2.0s\n\
             \nInputs\n\
             \x20 model        s3://b/m.tar.gz\n\
             \nArtifacts\n\
             \x20 Model        s3://b/out/m.tar.gz\n"
        );
        let page = plain(
            Kind::Optimization,
            json!({
                "OptimizationJobName": "o", "OptimizationJobStatus": "INPROGRESS",
                "DeploymentInstanceType": "ml.g5.xlarge",
                "ModelSource": {"S3": {"S3Uri": "s3://b/m/"}},
                "OutputConfig": {"S3OutputLocation": "s3://b/out/"},
            }),
        );
        assert_eq!(
            page,
            "o  INPROGRESS\n\
             \x20 Instances   ml.g5.xlarge\n\
             \nInputs\n\
             \x20 model        s3://b/m/\n\
             \nArtifacts\n\
             \x20 Output       s3://b/out/\n"
        );
    }
}
