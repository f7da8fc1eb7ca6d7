//! The properties of a training job that a search may name, with their kinds.
//!
//! They are the members of the shape `TrainingJob` of the service model; a test compares
//! them. Lists are passed through: what is asked of a list is asked of its items.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a property holds, which decides how it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text, or a list of texts.
    Text,
    /// A number.
    Number,
    /// A number that the cloud keeps in single precision.
    Float,
    /// Yes or no.
    Boolean,
    /// An instant.
    Time,
    /// An object, or a list of objects: it is there or not.
    Group,
    /// Texts by names that its owner chose.
    Map,
}

use Kind::{Boolean, Float, Group, Map, Number, Text, Time};

/// Every property by its path, in the order of the service model.
#[rustfmt::skip]
pub const CATALOGUE: &[(&str, Kind)] = &[
    ("TrainingJobName", Text),
    ("TrainingJobArn", Text),
    ("TuningJobArn", Text),
    ("LabelingJobArn", Text),
    ("AutoMLJobArn", Text),
    ("ModelArtifacts", Group),
    ("ModelArtifacts.S3ModelArtifacts", Text),
    ("TrainingJobStatus", Text),
    ("SecondaryStatus", Text),
    ("FailureReason", Text),
    ("HyperParameters", Map),
    ("AlgorithmSpecification", Group),
    ("AlgorithmSpecification.TrainingImage", Text),
    ("AlgorithmSpecification.AlgorithmName", Text),
    ("AlgorithmSpecification.TrainingInputMode", Text),
    ("AlgorithmSpecification.MetricDefinitions", Group),
    ("AlgorithmSpecification.MetricDefinitions.Name", Text),
    ("AlgorithmSpecification.MetricDefinitions.Regex", Text),
    ("AlgorithmSpecification.EnableSageMakerMetricsTimeSeries", Boolean),
    ("AlgorithmSpecification.ContainerEntrypoint", Text),
    ("AlgorithmSpecification.ContainerArguments", Text),
    ("AlgorithmSpecification.TrainingImageConfig", Group),
    ("AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode", Text),
    ("AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig", Group),
    ("AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig.TrainingRepositoryCredentialsProviderArn", Text),
    ("RoleArn", Text),
    ("InputDataConfig", Group),
    ("InputDataConfig.ChannelName", Text),
    ("InputDataConfig.DataSource", Group),
    ("InputDataConfig.DataSource.S3DataSource", Group),
    ("InputDataConfig.DataSource.S3DataSource.S3DataType", Text),
    ("InputDataConfig.DataSource.S3DataSource.S3Uri", Text),
    ("InputDataConfig.DataSource.S3DataSource.S3DataDistributionType", Text),
    ("InputDataConfig.DataSource.S3DataSource.AttributeNames", Text),
    ("InputDataConfig.DataSource.S3DataSource.InstanceGroupNames", Text),
    ("InputDataConfig.DataSource.S3DataSource.ModelAccessConfig", Group),
    ("InputDataConfig.DataSource.S3DataSource.ModelAccessConfig.AcceptEula", Boolean),
    ("InputDataConfig.DataSource.S3DataSource.HubAccessConfig", Group),
    ("InputDataConfig.DataSource.S3DataSource.HubAccessConfig.HubContentArn", Text),
    ("InputDataConfig.DataSource.FileSystemDataSource", Group),
    ("InputDataConfig.DataSource.FileSystemDataSource.FileSystemId", Text),
    ("InputDataConfig.DataSource.FileSystemDataSource.FileSystemAccessMode", Text),
    ("InputDataConfig.DataSource.FileSystemDataSource.FileSystemType", Text),
    ("InputDataConfig.DataSource.FileSystemDataSource.DirectoryPath", Text),
    ("InputDataConfig.DataSource.DatasetSource", Group),
    ("InputDataConfig.DataSource.DatasetSource.DatasetArn", Text),
    ("InputDataConfig.ContentType", Text),
    ("InputDataConfig.CompressionType", Text),
    ("InputDataConfig.RecordWrapperType", Text),
    ("InputDataConfig.InputMode", Text),
    ("InputDataConfig.ShuffleConfig", Group),
    ("InputDataConfig.ShuffleConfig.Seed", Number),
    ("OutputDataConfig", Group),
    ("OutputDataConfig.KmsKeyId", Text),
    ("OutputDataConfig.S3OutputPath", Text),
    ("OutputDataConfig.CompressionType", Text),
    ("ResourceConfig", Group),
    ("ResourceConfig.InstanceType", Text),
    ("ResourceConfig.InstanceCount", Number),
    ("ResourceConfig.VolumeSizeInGB", Number),
    ("ResourceConfig.VolumeKmsKeyId", Text),
    ("ResourceConfig.KeepAlivePeriodInSeconds", Number),
    ("ResourceConfig.InstanceGroups", Group),
    ("ResourceConfig.InstanceGroups.InstanceType", Text),
    ("ResourceConfig.InstanceGroups.InstanceCount", Number),
    ("ResourceConfig.InstanceGroups.InstanceGroupName", Text),
    ("ResourceConfig.TrainingPlanArn", Text),
    ("ResourceConfig.InstancePlacementConfig", Group),
    ("ResourceConfig.InstancePlacementConfig.EnableMultipleJobs", Boolean),
    ("ResourceConfig.InstancePlacementConfig.PlacementSpecifications", Group),
    ("ResourceConfig.InstancePlacementConfig.PlacementSpecifications.UltraServerId", Text),
    ("ResourceConfig.InstancePlacementConfig.PlacementSpecifications.InstanceCount", Number),
    ("WarmPoolStatus", Group),
    ("WarmPoolStatus.Status", Text),
    ("WarmPoolStatus.ResourceRetainedBillableTimeInSeconds", Number),
    ("WarmPoolStatus.ReusedByJob", Text),
    ("VpcConfig", Group),
    ("VpcConfig.SecurityGroupIds", Text),
    ("VpcConfig.Subnets", Text),
    ("StoppingCondition", Group),
    ("StoppingCondition.MaxRuntimeInSeconds", Number),
    ("StoppingCondition.MaxWaitTimeInSeconds", Number),
    ("StoppingCondition.MaxPendingTimeInSeconds", Number),
    ("CreationTime", Time),
    ("TrainingStartTime", Time),
    ("TrainingEndTime", Time),
    ("LastModifiedTime", Time),
    ("SecondaryStatusTransitions", Group),
    ("SecondaryStatusTransitions.Status", Text),
    ("SecondaryStatusTransitions.StartTime", Time),
    ("SecondaryStatusTransitions.EndTime", Time),
    ("SecondaryStatusTransitions.StatusMessage", Text),
    ("FinalMetricDataList", Group),
    ("FinalMetricDataList.MetricName", Text),
    ("FinalMetricDataList.Value", Float),
    ("FinalMetricDataList.Timestamp", Time),
    ("EnableNetworkIsolation", Boolean),
    ("EnableInterContainerTrafficEncryption", Boolean),
    ("EnableManagedSpotTraining", Boolean),
    ("CheckpointConfig", Group),
    ("CheckpointConfig.S3Uri", Text),
    ("CheckpointConfig.LocalPath", Text),
    ("TrainingTimeInSeconds", Number),
    ("BillableTimeInSeconds", Number),
    ("DebugHookConfig", Group),
    ("DebugHookConfig.LocalPath", Text),
    ("DebugHookConfig.S3OutputPath", Text),
    ("DebugHookConfig.HookParameters", Map),
    ("DebugHookConfig.CollectionConfigurations", Group),
    ("DebugHookConfig.CollectionConfigurations.CollectionName", Text),
    ("DebugHookConfig.CollectionConfigurations.CollectionParameters", Map),
    ("ExperimentConfig", Group),
    ("ExperimentConfig.ExperimentName", Text),
    ("ExperimentConfig.TrialName", Text),
    ("ExperimentConfig.TrialComponentDisplayName", Text),
    ("ExperimentConfig.RunName", Text),
    ("DebugRuleConfigurations", Group),
    ("DebugRuleConfigurations.RuleConfigurationName", Text),
    ("DebugRuleConfigurations.LocalPath", Text),
    ("DebugRuleConfigurations.S3OutputPath", Text),
    ("DebugRuleConfigurations.RuleEvaluatorImage", Text),
    ("DebugRuleConfigurations.InstanceType", Text),
    ("DebugRuleConfigurations.VolumeSizeInGB", Number),
    ("DebugRuleConfigurations.RuleParameters", Map),
    ("TensorBoardOutputConfig", Group),
    ("TensorBoardOutputConfig.LocalPath", Text),
    ("TensorBoardOutputConfig.S3OutputPath", Text),
    ("DebugRuleEvaluationStatuses", Group),
    ("DebugRuleEvaluationStatuses.RuleConfigurationName", Text),
    ("DebugRuleEvaluationStatuses.RuleEvaluationJobArn", Text),
    ("DebugRuleEvaluationStatuses.RuleEvaluationStatus", Text),
    ("DebugRuleEvaluationStatuses.StatusDetails", Text),
    ("DebugRuleEvaluationStatuses.LastModifiedTime", Time),
    ("OutputModelPackageArn", Text),
    ("ModelPackageConfig", Group),
    ("ModelPackageConfig.ModelPackageGroupArn", Text),
    ("ModelPackageConfig.SourceModelPackageArn", Text),
    ("ProfilerConfig", Group),
    ("ProfilerConfig.S3OutputPath", Text),
    ("ProfilerConfig.ProfilingIntervalInMilliseconds", Number),
    ("ProfilerConfig.ProfilingParameters", Map),
    ("ProfilerConfig.DisableProfiler", Boolean),
    ("Environment", Map),
    ("RetryStrategy", Group),
    ("RetryStrategy.MaximumRetryAttempts", Number),
    ("Tags", Group),
];

/// The lists of objects. None of them is within another.
pub const LISTS: &[&str] = &[
    "AlgorithmSpecification.MetricDefinitions",
    "InputDataConfig",
    "ResourceConfig.InstanceGroups",
    "ResourceConfig.InstancePlacementConfig.PlacementSpecifications",
    "SecondaryStatusTransitions",
    "FinalMetricDataList",
    "DebugHookConfig.CollectionConfigurations",
    "DebugRuleConfigurations",
    "DebugRuleEvaluationStatuses",
    "Tags",
];

/// Whether a property is a list of objects, or within one.
pub fn is_listed(path: &str) -> bool {
    LISTS.iter().any(|list| {
        let below = path.strip_prefix(list);
        below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
    })
}

/// The kind of a property; `None` if a training job has none of that name.
pub fn kind(path: &str) -> Option<Kind> {
    static KINDS: LazyLock<HashMap<&str, Kind>> =
        LazyLock::new(|| CATALOGUE.iter().copied().collect());
    KINDS.get(path).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The service model that the API is generated from.
    const MODEL: &str = include_str!("../../../../../models/sagemaker.json");

    /// Finds the properties, and those that are lists of objects.
    fn collect(
        (model, shape, path): (&Value, &str, &str),
        found: &mut Vec<(String, Kind)>,
        lists: &mut Vec<String>,
    ) {
        let members = model["shapes"][shape]["members"].as_object();
        for (name, member) in members.into_iter().flatten() {
            let path = match path {
                "" => name.clone(),
                _ => format!("{path}.{name}"),
            };
            let mut shape = member["shape"].as_str().unwrap_or_default();
            let listed = model["shapes"][shape]["type"] == "list";
            while model["shapes"][shape]["type"] == "list" {
                shape = model["shapes"][shape]["member"]["shape"]
                    .as_str()
                    .unwrap_or_default();
            }
            let kind = match model["shapes"][shape]["type"].as_str().unwrap_or_default() {
                "string" => Text,
                "integer" | "long" => Number,
                "float" => Float,
                "boolean" => Boolean,
                "timestamp" => Time,
                "structure" => Group,
                "map" => Map,
                other => panic!("{path} is a {other}"),
            };
            found.push((path.clone(), kind));
            if listed && kind == Group {
                lists.push(path.clone());
            }
            // A tag is named by its key, and not by the members of a tag.
            if path != "Tags" {
                collect((model, shape, &path), found, lists);
            }
        }
    }

    #[test]
    fn the_catalogue_is_what_the_service_model_says() {
        let model: Value = serde_json::from_str(MODEL).unwrap();
        let (mut found, mut lists) = (Vec::new(), Vec::new());
        collect((&model, "TrainingJob", ""), &mut found, &mut lists);
        let mut known: Vec<(String, Kind)> = CATALOGUE
            .iter()
            .map(|(path, kind)| ((*path).to_owned(), *kind))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        known.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(known, found);
        lists.sort_unstable();
        let mut known = LISTS.to_vec();
        known.sort_unstable();
        assert_eq!(known, lists);
    }

    #[test]
    fn no_list_of_objects_is_within_another() {
        for list in LISTS {
            let above = list.rsplit_once('.').map(|(above, _)| above);
            assert!(!above.is_some_and(is_listed), "{list}");
            assert!(is_listed(&format!("{list}.Member")), "{list}");
        }
        assert!(!is_listed("InputDataConfigs"));
    }
}
