//! ARNs of jobs.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, JobName, NameError, Region};
use crate::text::serde_as_text;

/// The kinds of job that have an ARN here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// A training job.
    Training,
    /// A compilation job.
    Compilation,
    /// An optimization job.
    Optimization,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Training, Self::Compilation, Self::Optimization];

    /// The word for the kind in ARNs.
    pub const fn resource_type(self) -> &'static str {
        match self {
            Self::Training => "training-job",
            Self::Compilation => "compilation-job",
            Self::Optimization => "optimization-job",
        }
    }

    fn from_resource_type(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.resource_type() == text)
    }
}

/// The ARN of a job. That of a training job has the job's name in small
/// letters, whatever letters its owner chose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    region: Region,
    account: AccountId,
    kind: JobKind,
    name: JobName,
}

impl Arn {
    /// The ARN of a job.
    pub fn new(kind: JobKind, region: Region, account: AccountId, name: &JobName) -> Self {
        let name = match kind {
            JobKind::Training => name.to_lowercase(),
            JobKind::Compilation | JobKind::Optimization => name.clone(),
        };
        Self {
            region,
            account,
            kind,
            name,
        }
    }

    /// The region that the job is in.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The account that owns the job.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The kind of job.
    pub fn kind(&self) -> JobKind {
        self.kind
    }

    /// The job's name as the ARN spells it.
    pub fn name(&self) -> &JobName {
        &self.name
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "arn:{}:sagemaker:{}:{}:{}/{}",
            self.region.partition(),
            self.region,
            self.account,
            self.kind.resource_type(),
            self.name
        )
    }
}

impl FromStr for Arn {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        parse(text).ok_or_else(|| NameError::Arn(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Arn> {
    let (partition, rest) = text.strip_prefix("arn:")?.split_once(':')?;
    let (region, rest) = rest.strip_prefix("sagemaker:")?.split_once(':')?;
    let (account, resource) = rest.split_once(':')?;
    let (kind, name) = resource.split_once('/')?;
    let region: Region = region.parse().ok()?;
    if region.partition() != partition {
        return None;
    }
    let kind = JobKind::from_resource_type(kind)?;
    let name: JobName = name.parse().ok()?;
    Some(Arn::new(kind, region, account.parse().ok()?, &name))
}

serde_as_text!(Arn);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn only_training_jobs_are_spelled_in_small_letters() {
        for (kind, expected) in [
            (
                JobKind::Training,
                "arn:aws:sagemaker:us-east-1:123456789012:training-job/my-job",
            ),
            (
                JobKind::Compilation,
                "arn:aws:sagemaker:us-east-1:123456789012:compilation-job/My-Job",
            ),
            (
                JobKind::Optimization,
                "arn:aws:sagemaker:us-east-1:123456789012:optimization-job/My-Job",
            ),
        ] {
            let (region, account) = (
                "us-east-1".parse().unwrap(),
                "123456789012".parse().unwrap(),
            );
            let arn = Arn::new(kind, region, account, &"My-Job".parse().unwrap());
            assert_eq!(arn.to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_arn_of_a_job_is_refused() {
        for text in [
            "",
            "arn:aws:sagemaker:us-east-1:123456789012:training-job",
            "arn:aws:sagemaker:us-east-1:123456789012:training-job/",
            "arn:aws:sagemaker:us-east-1:123456789012:training-job/a/b",
            "arn:aws:sagemaker:us-east-1:123456789012:endpoint/a",
            "arn:aws:sagemaker:us-east-1:1234:training-job/a",
            "arn:aws:sagemaker:nowhere:123456789012:training-job/a",
            "arn:aws-cn:sagemaker:us-east-1:123456789012:training-job/a",
            "arn:aws:s3:us-east-1:123456789012:training-job/a",
        ] {
            let refused = text.parse::<Arn>().unwrap_err();
            assert!(
                refused
                    .to_string()
                    .starts_with(&format!("'{text}' is not a job's ARN"))
            );
        }
    }

    proptest! {
        #[test]
        fn arns_read_back(
            kind in select(JobKind::ALL.to_vec()),
            region in select(vec!["us-east-1", "cn-north-1", "us-gov-west-1"]),
            account in "[0-9]{12}",
            name in "[a-zA-Z0-9](-?[a-zA-Z0-9]){0,31}",
        ) {
            let (region, account) = (region.parse().unwrap(), account.parse().unwrap());
            let arn = Arn::new(kind, region, account, &name.parse().unwrap());
            prop_assert_eq!(arn.to_string().parse::<Arn>(), Ok(arn));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(arn:aws:sagemaker:)?.{0,40}") {
            let _ = text.parse::<Arn>();
        }
    }
}
