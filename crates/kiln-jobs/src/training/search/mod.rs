//! `Search`: training jobs that meet an expression, in any order, page by page.

#[cfg(test)]
mod any_expression;
mod bits;
mod catalogue;
mod column;
mod columns;
mod comparison;
#[cfg(test)]
mod comparison_tests;
mod error;
mod expression;
mod flattening;
#[cfg(test)]
mod index_tests;
mod indexing;
mod interval;
mod narrowing;
mod objects;
mod order;
mod pages;
mod property;
mod record;
mod scalar;
mod selection;
mod suggestions;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use kiln_model::api::{CrossAccountFilterOption, ResourceType, SearchRequest, SearchSortOrder};
use kiln_store::ListQuery;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::error::InvalidSearch;
use self::expression::Condition;
use self::order::Order;
use self::pages::{Found, Hits, PageEnd, ResultPlace};
use super::{KIND, TrainingJobs};
use crate::JobError;
use crate::plane::page_token;

/// Results on a page when the request does not say.
const DEFAULT_PAGE: i32 = 10;
/// Searches that look at jobs at a time.
static SCANS: Semaphore = Semaphore::const_new(2);

/// A search as it is carried out.
struct Search {
    /// What the store is asked for.
    query: ListQuery,
    /// What is asked of the jobs.
    condition: Condition,
    /// Whether the store is asked for all of that.
    exact: bool,
    /// The members of records that tell whether a job meets it, and its place in the order.
    members: BTreeSet<String>,
    order: Order,
    /// Results on a page.
    size: usize,
    /// The page before this one, if there was one.
    before: Option<PageEnd>,
    /// What tells the request from others.
    fingerprint: String,
}

/// Refuses what Kiln holds none of.
fn require_training_jobs(resource: ResourceType) -> Result<(), JobError> {
    match resource {
        ResourceType::TrainingJob => Ok(()),
        other => Err(JobError::Validation(format!(
            "Kiln searches the resource TrainingJob; {other} is not available."
        ))),
    }
}

impl TrainingJobs {
    /// `Search`: the answer, as JSON.
    ///
    /// # Errors
    /// When the expression makes no sense, the page token is not one of ours, or the store
    /// fails.
    pub async fn search(&self, request: SearchRequest) -> Result<String, JobError> {
        require_training_jobs(request.resource)?;
        let search = self.search_of(&request)?;
        // Nobody shares jobs with this account.
        if request.cross_account_filter_option == Some(CrossAccountFilterOption::CrossAccount) {
            let none = Hits {
                count: 0,
                exact: true,
            };
            return Ok(answer(Vec::new(), none, None).to_string());
        }
        let this = self.clone();
        // It may look at all jobs, which takes longer than others should wait; and so that
        // processors are left for these, few do so at a time.
        let turn = SCANS.acquire().await;
        let _turn = turn.map_err(|error| JobError::Internal(error.to_string()))?;
        let searching = tokio::task::spawn_blocking(move || this.page_of(&search));
        let page = searching.await;
        page.unwrap_or_else(|error| Err(JobError::Internal(error.to_string())))
    }

    fn search_of(&self, request: &SearchRequest) -> Result<Search, JobError> {
        let fingerprint = page_token::fingerprint(
            "Search",
            &SearchRequest {
                next_token: None,
                max_results: None,
                ..request.clone()
            },
        )?;
        let read = |token: &String| page_token::read(&self.shared.plane.keys, &fingerprint, token);
        let before = request.next_token.as_ref().map(read).transpose()?;
        let condition = condition(request)?;
        let mut query = ListQuery {
            descending: request.sort_order != Some(SearchSortOrder::Ascending),
            ..ListQuery::default()
        };
        let exact = narrowing::narrow(&mut query, &condition);
        let order = Order::of(request.sort_by.as_deref())?;
        Ok(Search {
            query,
            members: members(&condition, &order),
            condition,
            exact,
            order,
            size: request.max_results.unwrap_or(DEFAULT_PAGE).unsigned_abs() as usize,
            before,
            fingerprint,
        })
    }

    fn page_of(&self, search: &Search) -> Result<String, JobError> {
        let Found { mut places, hits } = self.find_page(search)?;
        let more = places.len() > search.size;
        places.truncate(search.size);
        let rows: Vec<i64> = places.iter().map(ResultPlace::row).collect();
        let documents = self.shared.plane.store.jobs.documents_at(KIND, &rows)?;
        let records = documents
            .iter()
            .map(record::whole)
            .collect::<Result<_, _>>()?;
        let last = places.pop().filter(|_| more);
        let token = last.map(|place| {
            let end = PageEnd { place, hits };
            page_token::write(&self.shared.plane.keys, &search.fingerprint, &end)
        });
        Ok(answer(records, hits, token.transpose()?).to_string())
    }
}

/// All that a request asks of a record.
fn condition(request: &SearchRequest) -> Result<Condition, InvalidSearch> {
    let asked = request.search_expression.iter().map(Condition::of);
    let visible = request.visibility_conditions.iter().flatten();
    let all = asked.chain(visible.map(Condition::visible));
    Ok(Condition::All(all.collect::<Result<_, _>>()?))
}

fn members(condition: &Condition, order: &Order) -> BTreeSet<String> {
    let mut members = BTreeSet::from([order.property.member().to_owned()]);
    condition.members(&mut members);
    members
}

fn answer(records: Vec<Value>, hits: Hits, token: Option<String>) -> Value {
    let relation = match hits.exact {
        true => "EqualTo",
        false => "GreaterThanOrEqualTo",
    };
    let results: Vec<Value> = records
        .into_iter()
        .map(|record| json!({"TrainingJob": record}))
        .collect();
    let mut answer = json!({
        "Results": results,
        "TotalHits": {"Value": hits.count, "Relation": relation},
    });
    if let Some(token) = token {
        answer["NextToken"] = token.into();
    }
    answer
}
