//! Where the log of a job is, whatever its kind.

use crate::commands::kind::Kind;

impl Kind {
    /// The log group of its jobs.
    pub fn log_group(self) -> String {
        format!("/aws/sagemaker/{}Jobs", self.title())
    }

    /// What the names of a job's streams begin with. Each attempt and host of a training job has
    /// one below the job's name; other jobs have one stream, which has their name.
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
