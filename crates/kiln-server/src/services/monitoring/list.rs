//! ListMetrics: which metrics there are.

use kiln_store::{Metric, MetricFilter};
use serde::Deserialize;

use super::Archive;
use super::answer::{Answer, structure};
use super::fault::{bad_token, failed, invalid, invalid_value, missing};
use super::input::Dimension;
use super::paging::Token;
use crate::reply::Fault;

/// Metrics on a page, and dimensions in a filter: the API's limits.
const PAGE: usize = 500;
const MOST_FILTERS: usize = 10;
/// How old the last value of a metric may be, in seconds: two weeks, or three
/// hours when only what is active is wanted.
const LISTED: i64 = 14 * 86_400;
const ACTIVE: i64 = 3 * 3600;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMetrics {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    next_token: Option<String>,
    recently_active: Option<String>,
}

pub(super) fn answer(archive: &Archive, request: ListMetrics) -> Result<Answer, Fault> {
    let age = match request.recently_active.as_deref() {
        None => LISTED,
        Some("PT3H") => ACTIVE,
        Some(other) => return Err(invalid_value(other, "RecentlyActive")),
    };
    let dimensions = filters(request.dimensions)?;
    let query = format!(
        "{:?}{:?}{dimensions:?}{age}",
        request.namespace, request.metric_name
    );
    let filter = MetricFilter {
        namespace: request.namespace,
        name: request.metric_name,
        dimensions,
        dimension_names: None,
        since: archive.now - age,
    };
    let Token([after]) = match request.next_token {
        None => Token([0]),
        Some(token) => Token::read(&token, &query).ok_or_else(bad_token)?,
    };
    let found = archive.metrics.metrics(&filter, after, PAGE + 1, |_| true);
    let mut found = found.map_err(failed)?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| more);
    let next = next.map(|(id, _)| Answer::Text(Token([*id]).write(&query)));
    Ok(structure([
        (
            "Metrics",
            Some(Answer::list(found.iter().map(|(_, metric)| shown(metric)))),
        ),
        ("NextToken", next),
    ]))
}

fn filters(dimensions: Vec<Dimension>) -> Result<Vec<(String, Option<String>)>, Fault> {
    if dimensions.len() > MOST_FILTERS {
        return Err(invalid(format!(
            "The collection Dimensions must not have a size greater than {MOST_FILTERS}."
        )));
    }
    let one = |(n, dimension): (usize, Dimension)| {
        let name = dimension.name;
        let name = name.ok_or_else(|| missing(&format!("Dimensions.member.{n}.Name")))?;
        Ok((name, dimension.value))
    };
    (1..).zip(dimensions).map(one).collect()
}

fn shown(metric: &Metric) -> Answer {
    let dimension = |(name, value): (&String, &String)| {
        Answer::Structure(vec![
            ("Name", Answer::text(name)),
            ("Value", Answer::text(value)),
        ])
    };
    Answer::Structure(vec![
        ("Namespace", Answer::text(&metric.namespace)),
        ("MetricName", Answer::text(&metric.name)),
        (
            "Dimensions",
            Answer::list(metric.dimensions.iter().map(dimension)),
        ),
    ])
}
