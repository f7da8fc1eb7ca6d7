//! `ListTrainingJobs`: filters, order and pages.

use kiln_model::Timestamp;
use kiln_model::api::{
    ListTrainingJobsRequest, ListTrainingJobsResponse, SecondaryStatus, SortBy, SortOrder,
    TrainingJobStatus, TrainingJobSummary,
};
use kiln_store::{JobSummary, ListQuery, SortKey};

use super::{KIND, TrainingJobs};
use crate::JobError;
use crate::plane::{instant, pages};

/// The answer to a list request.
pub type TrainingJobList = ListTrainingJobsResponse;

impl TrainingJobs {
    /// `ListTrainingJobs`.
    ///
    /// # Errors
    /// When the page token is not one of ours.
    pub fn list(&self, request: &ListTrainingJobsRequest) -> Result<TrainingJobList, JobError> {
        if request.training_plan_arn_equals.is_some() {
            // No job has a training plan yet.
            return Ok(ListTrainingJobsResponse::new(Vec::new()));
        }
        let alike = ListTrainingJobsRequest {
            next_token: None,
            max_results: None,
            ..request.clone()
        };
        let wanted = pages::Wanted {
            operation: "ListTrainingJobs",
            token: request.next_token.as_deref(),
            size: request.max_results,
        };
        let jobs = &self.shared.plane.store.jobs;
        let page = self.shared.plane.page(&wanted, &alike, |after, limit| {
            let query = ListQuery {
                after,
                limit,
                ..query(request)
            };
            jobs.list(KIND, &query)
        })?;
        let summaries = page
            .items
            .into_iter()
            .map(summary)
            .collect::<Result<_, _>>()?;
        let mut answer = ListTrainingJobsResponse::new(summaries);
        answer.next_token = page.next;
        Ok(answer)
    }
}

fn query(request: &ListTrainingJobsRequest) -> ListQuery {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::millis);
    ListQuery {
        name: None,
        tags: Vec::new(),
        name_contains: request.name_contains.clone(),
        status: request.status_equals.map(|status| status.to_string()),
        warm_pool: request
            .warm_pool_status_equals
            .map(|status| status.to_string()),
        created_after: millis(request.creation_time_after),
        created_before: millis(request.creation_time_before),
        modified_after: millis(request.last_modified_time_after),
        modified_before: millis(request.last_modified_time_before),
        sort: match request.sort_by {
            None | Some(SortBy::CreationTime) => SortKey::Created,
            Some(SortBy::Name) => SortKey::Name,
            Some(SortBy::Status) => SortKey::Status,
        },
        // The cloud shows the newest first unless it is told otherwise.
        descending: match request.sort_order {
            Some(order) => order == SortOrder::Descending,
            None => true,
        },
        ..ListQuery::default()
    }
}

fn summary(job: JobSummary) -> Result<TrainingJobSummary, JobError> {
    let unknown = |error| JobError::Internal(format!("a stored status is damaged: {error}"));
    let status: TrainingJobStatus = job.index.status.parse().map_err(unknown)?;
    let secondary: SecondaryStatus = job.index.secondary.parse().map_err(unknown)?;
    let warm_pool = job.warm_pool.as_deref().map(serde_json::from_str);
    let mut summary =
        TrainingJobSummary::new(job.name, job.arn, instant(job.index.created), status);
    summary.training_end_time = job.index.ended.map(instant);
    summary.last_modified_time = Some(instant(job.index.modified));
    summary.secondary_status = Some(secondary);
    summary.warm_pool_status = warm_pool.transpose()?;
    Ok(summary)
}
