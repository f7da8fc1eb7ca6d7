//! The operator's calls: what the cloud does to jobs of its own accord, and here
//! only the owner of the machine can.
//!
//! They are signed as calls of the job API are, with the root key, but have
//! paths of their own, since no client of AWS knows them.

use http::Method;

use crate::door::require_owner;
use crate::reply::{Fault, Reply, json};
use crate::services::{Call, Services};

/// All of them are about training jobs.
const PREFIX: &str = "/_kiln/training-jobs/";
const INTERRUPT: &str = "interrupt";
/// What the only one of them is called in policies.
pub(crate) const ACTION: &str = "InterruptTrainingJob";

/// Where a POST interrupts a training job on spot capacity.
#[must_use]
pub fn interrupt_path(job: &str) -> String {
    format!("{PREFIX}{job}/{INTERRUPT}")
}

/// Whether a path is one of these calls'.
pub(crate) fn serves(path: &str) -> bool {
    path.starts_with(PREFIX)
}

pub(crate) async fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    let path = call.parts.uri.path();
    match (&call.parts.method, target(path)) {
        (&Method::POST, Some((job, INTERRUPT))) => {
            require_owner(&call.caller, &services.identity, &format!("kiln:{ACTION}"))?;
            services.jobs.training().interrupt(job).await?;
            Ok(json(""))
        }
        (method, _) => Err(Fault::new(
            "UnknownOperationException",
            format!("{method} {path} is not an operation that Kiln serves."),
        )),
    }
}

/// `/_kiln/training-jobs/<name>/<what>`
fn target(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(PREFIX)?.split_once('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_job_and_what_is_done_to_it() {
        let path = interrupt_path("my-job");
        assert!(serves(&path));
        assert_eq!(target(&path), Some(("my-job", INTERRUPT)));
        assert_eq!(target("/_kiln/training-jobs/my-job"), None);
        assert_eq!(target("/_kiln/training-jobs/a/b/c"), Some(("a", "b/c")));
        assert!(!serves("/_kiln/instances/1/reports"));
    }
}
