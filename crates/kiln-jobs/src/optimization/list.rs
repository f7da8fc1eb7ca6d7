//! `ListOptimizationJobs`: filters, order and pages.

use kiln_model::Timestamp;
use kiln_model::api::{
    DescribeOptimizationJobResponse, ListOptimizationJobsRequest, ListOptimizationJobsResponse,
    ListOptimizationJobsSortBy, OptimizationJobSummary, SortOrder,
};
use kiln_store::{JobDocument, ListQuery, SortKey};

use super::steps::words;
use super::{Optimization, OptimizationJobs};
use crate::JobError;
use crate::plane::pages;
use crate::solo::Work;

/// Jobs on a page when the request does not say.
const DEFAULT_SIZE: i32 = 50;

/// The answer to a list request.
pub type OptimizationJobList = ListOptimizationJobsResponse;

impl OptimizationJobs {
    /// `ListOptimizationJobs`.
    ///
    /// # Errors
    /// When the page token is not one of ours.
    pub fn list(
        &self,
        request: &ListOptimizationJobsRequest,
    ) -> Result<OptimizationJobList, JobError> {
        let alike = ListOptimizationJobsRequest {
            next_token: None,
            max_results: None,
            ..request.clone()
        };
        let wanted = pages::Wanted {
            operation: "ListOptimizationJobs",
            token: request.next_token.as_deref(),
            size: Some(request.max_results.unwrap_or(DEFAULT_SIZE)),
        };
        let jobs = &self.plane().store.jobs;
        let page = self.plane().page(&wanted, &alike, |after, limit| {
            let query = ListQuery {
                after,
                limit,
                ..query(request)
            };
            jobs.documents(Optimization::kind(), &query, false)
        })?;
        let summaries = page.items.iter().map(summary).collect::<Result<_, _>>()?;
        let mut answer = ListOptimizationJobsResponse::new(summaries);
        answer.next_token = page.next;
        Ok(answer)
    }
}

fn summary(job: &JobDocument) -> Result<OptimizationJobSummary, JobError> {
    let job: DescribeOptimizationJobResponse = serde_json::from_str(&job.description)?;
    Ok(OptimizationJobSummary {
        optimization_job_name: job.optimization_job_name,
        optimization_job_arn: job.optimization_job_arn,
        creation_time: job.creation_time,
        optimization_job_status: job.optimization_job_status,
        optimization_start_time: job.optimization_start_time,
        optimization_end_time: job.optimization_end_time,
        last_modified_time: Some(job.last_modified_time),
        deployment_instance_type: job.deployment_instance_type,
        max_instance_count: job.max_instance_count,
        optimization_types: words(&job.optimization_configs),
    })
}

fn query(request: &ListOptimizationJobsRequest) -> ListQuery {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::millis);
    ListQuery {
        name_contains: request.name_contains.clone(),
        status: request.status_equals.map(|status| status.to_string()),
        label_contains: request.optimization_contains.clone(),
        created_after: millis(request.creation_time_after),
        created_before: millis(request.creation_time_before),
        modified_after: millis(request.last_modified_time_after),
        modified_before: millis(request.last_modified_time_before),
        sort: match request.sort_by {
            None | Some(ListOptimizationJobsSortBy::CreationTime) => SortKey::Created,
            Some(ListOptimizationJobsSortBy::Name) => SortKey::Name,
            Some(ListOptimizationJobsSortBy::Status) => SortKey::Status,
        },
        descending: request.sort_order == Some(SortOrder::Descending),
        ..ListQuery::default()
    }
}
