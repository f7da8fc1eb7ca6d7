//! What a listener outside is told of a job of one instance: each change of its status, in an
//! event like those that EventBridge has for training jobs.

use kiln_store::NewAnnouncement;
use serde_json::Value;

use super::{Job, SoloJobs, Work};
use crate::JobError;
use crate::plane::state_change;

/// The members of descriptions that are times.
const TIMES: [&str; 6] = [
    "CreationTime",
    "LastModifiedTime",
    "CompilationStartTime",
    "CompilationEndTime",
    "OptimizationStartTime",
    "OptimizationEndTime",
];

impl<W: Work> SoloJobs<W> {
    /// The events of what a job has come through since it was read, if there is a listener.
    pub(super) fn announcements(&self, job: &Job<W>) -> Result<Vec<NewAnnouncement>, JobError> {
        if !self.plane().settings.announced {
            return Ok(Vec::new());
        }
        let told = job.untold.iter().map(|state| {
            let described = self.work().describe(&job.arn, &job.request, state)?;
            let mut detail: Value = serde_json::from_str(&described)?;
            if let Value::Object(members) = &mut detail {
                state_change::convert(members, &TIMES);
            }
            let detail = (detail, W::tags(&job.request));
            let kind = W::title();
            Ok(state_change::event(&kind, &job.arn, state.modified, detail))
        });
        told.collect()
    }
}
