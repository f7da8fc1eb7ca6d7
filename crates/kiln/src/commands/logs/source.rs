//! The job that a name stands for, whatever its kind, and where its log is.

use serde_json::json;

use super::lines::Lines;
use crate::client::{Client, Service};
use crate::commands::Failure;
use crate::commands::describe::job::Job;

/// A kind of jobs that have a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Training jobs: each attempt and host has a stream below the job's name.
    Training,
    /// Optimization jobs: each has one stream, which has its name.
    Optimization,
    /// Compilation jobs, likewise.
    Compilation,
}

impl Kind {
    /// What operations call its jobs.
    fn word(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::Optimization => "Optimization",
            Self::Compilation => "Compilation",
        }
    }

    /// The log group of its jobs.
    pub fn log_group(self) -> String {
        format!("/aws/sagemaker/{}Jobs", self.word())
    }

    /// What the names of a job's streams begin with.
    pub fn stream_prefix(self, job: &str) -> String {
        match self {
            Self::Training => format!("{job}/"),
            Self::Optimization | Self::Compilation => job.to_owned(),
        }
    }

    /// Whether a stream is one of a job's, if it begins so.
    pub fn is_stream_of(self, stream: &str, job: &str) -> bool {
        self == Self::Training || stream == job
    }
}

/// A job whose log is read.
#[derive(Debug)]
pub struct Source {
    /// Its kind.
    pub kind: Kind,
    /// How its lines are shown to people.
    pub lines: Lines,
    /// Whether nothing more will come.
    pub has_ended: bool,
}

impl Source {
    /// The job of this name: a training job, or else one of another kind.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    pub async fn find(client: &Client, name: &str) -> Result<Self, Failure> {
        let missing = match Job::fetch(client, name).await {
            Ok(job) => return Ok(Self::of_training(&job)),
            Err(missing) => missing,
        };
        for kind in [Kind::Optimization, Kind::Compilation] {
            // Who may not ask for such jobs has asked for a training job.
            if let Ok(source) = Self::fetch(client, kind, name).await {
                return Ok(source);
            }
        }
        Err(missing)
    }

    /// The job of this name and kind.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    pub async fn of(client: &Client, kind: Kind, name: &str) -> Result<Self, Failure> {
        match kind {
            Kind::Training => Ok(Self::of_training(&Job::fetch(client, name).await?)),
            kind => Self::fetch(client, kind, name).await,
        }
    }

    fn of_training(job: &Job) -> Self {
        Self {
            kind: Kind::Training,
            lines: Lines::of(job),
            has_ended: job.has_ended(),
        }
    }

    async fn fetch(client: &Client, kind: Kind, name: &str) -> Result<Self, Failure> {
        let word = kind.word();
        let mut input = json!({});
        input[format!("{word}JobName")] = json!(name);
        let operation = format!("Describe{word}Job");
        let described = client.call(Service::SageMaker, &operation, &input).await?;
        let status = described[format!("{word}JobStatus")].as_str();
        Ok(Self {
            kind,
            lines: Lines::of_one_instance(),
            has_ended: matches!(status, Some("COMPLETED" | "FAILED" | "STOPPED")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_group_and_streams() {
        let cases = [
            (Kind::Training, "TrainingJobs", "j/", "j/algo-1-5", true),
            (Kind::Optimization, "OptimizationJobs", "j", "j", true),
            (Kind::Optimization, "OptimizationJobs", "j", "j-2", false),
            (Kind::Compilation, "CompilationJobs", "j", "j", true),
        ];
        for (kind, group, prefix, stream, expected) in cases {
            assert_eq!(kind.log_group(), format!("/aws/sagemaker/{group}"));
            assert_eq!(kind.stream_prefix("j"), prefix);
            assert_eq!(kind.is_stream_of(stream, "j"), expected, "{stream}");
        }
    }
}
