//! `ListCompilationJobs`: filters, order and pages.

use kiln_model::Timestamp;
use kiln_model::api::{
    CompilationJobStatus, CompilationJobSummary, DescribeCompilationJobResponse,
    ListCompilationJobsRequest, ListCompilationJobsResponse, ListCompilationJobsSortBy, SortOrder,
};
use kiln_store::{JobSummary, ListQuery, SortKey};

use super::{Compilation, CompilationJobs};
use crate::JobError;
use crate::plane::{instant, pages};
use crate::solo::Work;

/// The answer to a list request.
pub type CompilationJobList = ListCompilationJobsResponse;

impl CompilationJobs {
    /// `ListCompilationJobs`.
    ///
    /// # Errors
    /// When the page token is not one of ours.
    pub fn list(
        &self,
        request: &ListCompilationJobsRequest,
    ) -> Result<CompilationJobList, JobError> {
        let alike = ListCompilationJobsRequest {
            next_token: None,
            max_results: None,
            ..request.clone()
        };
        let wanted = pages::Wanted {
            operation: "ListCompilationJobs",
            token: request.next_token.as_deref(),
            size: request.max_results,
        };
        let jobs = &self.plane().store.jobs;
        let page = self.plane().page(&wanted, &alike, |after, limit| {
            let query = ListQuery {
                after,
                limit,
                ..query(request)
            };
            jobs.list(Compilation::kind(), &query)
        })?;
        let summaries = page.items.into_iter().map(|job| self.summary(job));
        let mut answer = ListCompilationJobsResponse::new(summaries.collect::<Result<_, _>>()?);
        answer.next_token = page.next;
        Ok(answer)
    }

    fn summary(&self, job: JobSummary) -> Result<CompilationJobSummary, JobError> {
        let unknown = |error| JobError::Internal(format!("a stored status is damaged: {error}"));
        let status: CompilationJobStatus = job.index.status.parse().map_err(unknown)?;
        let mut summary = CompilationJobSummary::new(
            job.name.clone(),
            job.arn,
            instant(job.index.created),
            status,
        );
        summary.last_modified_time = Some(instant(job.index.modified));
        summary.compilation_end_time = job.index.ended.map(instant);
        // One that was deleted since has no more to say.
        let described = self
            .plane()
            .store
            .jobs
            .description(Compilation::kind(), &job.name)?;
        if let Some(text) = described {
            let described: DescribeCompilationJobResponse = serde_json::from_str(&text)?;
            // Another may have its name.
            if described.creation_time == summary.creation_time {
                add_details(&mut summary, described);
            }
        }
        Ok(summary)
    }
}

/// Adds what lists are not sorted or narrowed by.
fn add_details(summary: &mut CompilationJobSummary, job: DescribeCompilationJobResponse) {
    summary.compilation_start_time = job.compilation_start_time;
    summary.compilation_target_device = job.output_config.target_device;
    if let Some(platform) = job.output_config.target_platform {
        summary.compilation_target_platform_os = Some(platform.os);
        summary.compilation_target_platform_arch = Some(platform.arch);
        summary.compilation_target_platform_accelerator = platform.accelerator;
    }
}

fn query(request: &ListCompilationJobsRequest) -> ListQuery {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::millis);
    ListQuery {
        name_contains: request.name_contains.clone(),
        status: request.status_equals.map(|status| status.to_string()),
        created_after: millis(request.creation_time_after),
        created_before: millis(request.creation_time_before),
        modified_after: millis(request.last_modified_time_after),
        modified_before: millis(request.last_modified_time_before),
        sort: match request.sort_by {
            None | Some(ListCompilationJobsSortBy::CreationTime) => SortKey::Created,
            Some(ListCompilationJobsSortBy::Name) => SortKey::Name,
            Some(ListCompilationJobsSortBy::Status) => SortKey::Status,
        },
        // The oldest come first unless the request says otherwise, as the service model has it.
        descending: request.sort_order == Some(SortOrder::Descending),
        ..ListQuery::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_come_first_unless_the_request_says_otherwise() {
        for (order, descending) in [
            (None, false),
            (Some(SortOrder::Ascending), false),
            (Some(SortOrder::Descending), true),
        ] {
            let asked = ListCompilationJobsRequest {
                sort_order: order,
                ..ListCompilationJobsRequest::default()
            };
            let query = query(&asked);
            assert_eq!(query.descending, descending, "{order:?}");
            assert_eq!(query.sort, SortKey::Created);
        }
    }
}
