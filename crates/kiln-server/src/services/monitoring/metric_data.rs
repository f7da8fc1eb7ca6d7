//! GetMetricData: many metrics at once, named or searched for, a page at a time.

use kiln_store::{Metric, Point};
use serde::Deserialize;

use super::Archive;
use super::answer::{Answer, structure};
use super::fault::{bad_token, failed, missing, validation};
use super::input::{Flag, MetricInput, Moment, Number, required};
use super::search::Search;
use super::statistic::{NoStatistic, Statistic, UNITS, is_period, periods};
use crate::reply::Fault;

mod label;
mod page;

use self::label::labels;
use self::page::{Page, Place, Series};

/// The API's limits: queries in a request, points in an answer, and metrics that
/// a search finds.
const MOST_QUERIES: usize = 500;
const MOST_POINTS: usize = 100_800;
const MOST_FOUND: usize = 500;
/// Of an expression or a label, in bytes; the first is the API's own limit.
const LONGEST_TEXT: usize = 2048;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricData {
    #[serde(default)]
    metric_data_queries: Vec<Query>,
    start_time: Option<Moment>,
    end_time: Option<Moment>,
    next_token: Option<String>,
    scan_by: Option<String>,
    max_datapoints: Option<Number>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: Option<String>,
    metric_stat: Option<MetricStat>,
    expression: Option<String>,
    label: Option<String>,
    return_data: Option<Flag>,
    period: Option<Number>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: Option<MetricInput>,
    period: Option<Number>,
    stat: Option<String>,
    unit: Option<String>,
}

/// A query that is in order.
#[derive(Debug)]
struct Asked {
    id: String,
    label: Option<String>,
    what: What,
    statistic: Statistic,
    period: i64,
    unit: Option<String>,
}

#[derive(Debug)]
enum What {
    Metric(Metric),
    Search(Search),
}

/// The stretch of time that is asked about, epoch seconds.
#[derive(Clone, Copy)]
struct Stretch {
    start: i64,
    end: i64,
    descending: bool,
}

pub(super) fn answer(archive: &Archive, request: &GetMetricData) -> Result<Answer, Fault> {
    let stretch = stretch(request)?;
    let asked = queries(&request.metric_data_queries)?;
    let most = most(request.max_datapoints)?;
    let identity = format!("{asked:?}{}{}", stretch.start, stretch.end);
    let from = match &request.next_token {
        None => Place::default(),
        Some(token) => Place::read(token, &identity).ok_or_else(bad_token)?,
    };
    let page = fill(archive, &asked, stretch, from, Page::new(most))?;
    let next = page.next.map(|place| Answer::Text(place.write(&identity)));
    Ok(structure([
        ("MetricDataResults", Some(Answer::list(page.shown))),
        ("NextToken", next),
        ("Messages", Some(Answer::list([]))),
    ]))
}

/// Shows what the queries find, from a place on. Points are read when it is their
/// turn, and what came since the last page moves nothing.
fn fill(
    archive: &Archive,
    asked: &[Asked],
    stretch: Stretch,
    from: Place,
    mut page: Page,
) -> Result<Page, Fault> {
    for (query, number) in asked.iter().zip(0..) {
        if number < from.query {
            continue;
        }
        for (metric, series) in query.series(archive, stretch)? {
            let place = Place::of(number, metric);
            if place < from.beginning() {
                continue;
            }
            let mut points = query.points(archive, &series.metric, stretch)?;
            if place == from.beginning() {
                points.retain(|(at, _)| from.is_before(*at, stretch.descending));
            }
            if points.is_empty() && matches!(query.what, What::Search(_)) {
                continue;
            }
            page.add(place, &series, &points);
            if page.next.is_some() {
                return Ok(page);
            }
        }
    }
    Ok(page)
}

fn stretch(request: &GetMetricData) -> Result<Stretch, Fault> {
    let Moment(start) = required(request.start_time, "StartTime")?;
    let Moment(end) = required(request.end_time, "EndTime")?;
    if start == end {
        let message = "The parameter StartTime must not equal parameter EndTime.";
        return Err(validation(message));
    }
    if start > end {
        let message = "The parameter EndTime must be greater than StartTime.";
        return Err(validation(message));
    }
    let descending = match request.scan_by.as_deref() {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(other) => {
            return Err(validation(format!(
                "The value {other} for parameter ScanBy is invalid."
            )));
        }
    };
    Ok(Stretch {
        start,
        end,
        descending,
    })
}

fn most(asked: Option<Number>) -> Result<usize, Fault> {
    let Some(asked) = asked else {
        return Ok(MOST_POINTS);
    };
    let most = asked.whole().and_then(|most| usize::try_from(most).ok());
    let most = most.filter(|most| (1..=MOST_POINTS).contains(most));
    most.ok_or_else(|| {
        validation(format!(
            "The parameter MaxDatapoints must be between 1 and {MOST_POINTS}."
        ))
    })
}

/// The queries whose data are wanted. All must be in order.
fn queries(given: &[Query]) -> Result<Vec<Asked>, Fault> {
    if given.is_empty() {
        return Err(missing("MetricDataQueries"));
    }
    if given.len() > MOST_QUERIES {
        return Err(validation(format!(
            "The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        )));
    }
    let mut ids = std::collections::BTreeSet::new();
    let mut asked = Vec::new();
    for (number, query) in (1..).zip(given) {
        let one = query.check(&format!("MetricDataQueries.member.{number}"))?;
        if !ids.insert(one.id.clone()) {
            return Err(validation(
                "The values for parameter id in MetricDataQueries are not unique.",
            ));
        }
        if query.return_data != Some(Flag(false)) {
            asked.push(one);
        }
    }
    Ok(asked)
}

impl Query {
    fn check(&self, place: &str) -> Result<Asked, Fault> {
        let id = self.id.clone().unwrap_or_default();
        if !is_id(&id) {
            return Err(validation(format!(
                "The value for parameter {place}.Id must start with a lowercase letter and hold \
                 only letters, digits and underscores."
            )));
        }
        for (name, text) in [("Expression", &self.expression), ("Label", &self.label)] {
            if text.as_ref().is_some_and(|text| text.len() > LONGEST_TEXT) {
                return Err(validation(format!(
                    "The parameter {place}.{name} must be shorter than {} characters.",
                    LONGEST_TEXT + 1
                )));
            }
        }
        match (&self.metric_stat, &self.expression) {
            (Some(stat), None) => self.named(id, stat, place),
            (None, Some(expression)) => self.searched(id, expression, place),
            _ => Err(validation(format!(
                "Exactly one of the parameters {place}.MetricStat and {place}.Expression must be \
                 specified."
            ))),
        }
    }

    fn named(&self, id: String, stat: &MetricStat, place: &str) -> Result<Asked, Fault> {
        let place = format!("{place}.MetricStat");
        let metric = stat.metric.clone().unwrap_or_default();
        if let Some(unit) = &stat.unit
            && !UNITS.contains(&unit.as_str())
        {
            return Err(validation(format!(
                "The value {unit} for parameter {place}.Unit is invalid."
            )));
        }
        Ok(Asked {
            id,
            label: self.label.clone(),
            what: What::Metric(metric.check(&format!("{place}.Metric."))?),
            statistic: statistic(stat.stat.as_deref(), &format!("{place}.Stat"))?,
            period: period(stat.period.and_then(Number::whole), &place)?,
            unit: stat.unit.clone(),
        })
    }

    fn searched(&self, id: String, expression: &str, place: &str) -> Result<Asked, Fault> {
        let search: Search = expression
            .parse()
            .map_err(|error| validation(format!("Error in expression '{id}': {error}")))?;
        let own = self.period.and_then(Number::whole);
        Ok(Asked {
            label: self.label.clone(),
            statistic: statistic(Some(&search.statistic), &format!("{place}.Expression"))?,
            period: period(search.period.or(own).or(Some(300)), place)?,
            what: What::Search(search),
            unit: None,
            id,
        })
    }
}

fn is_id(id: &str) -> bool {
    let first = id.bytes().next();
    first.is_some_and(|first| first.is_ascii_lowercase())
        && id.len() <= 255
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn statistic(name: Option<&str>, place: &str) -> Result<Statistic, Fault> {
    let name = required(name, place)?;
    name.parse().map_err(|error| match error {
        NoStatistic::Unknown => validation(format!(
            "The value for parameter {place} is not a valid statistic."
        )),
        NoStatistic::NotServed => validation(format!(
            "The statistic {name} for parameter {place} is not served by Kiln; percentiles are."
        )),
    })
}

fn period(seconds: Option<i64>, place: &str) -> Result<i64, Fault> {
    let seconds = seconds.filter(|seconds| is_period(*seconds));
    seconds.ok_or_else(|| {
        validation(format!(
            "The parameter {place}.Period must be 1, 5, 10, 20, 30, or a multiple of 60."
        ))
    })
}

impl Asked {
    /// What it finds, by the metrics' numbers; a metric that is named is found always.
    fn series(&self, archive: &Archive, stretch: Stretch) -> Result<Vec<(i64, Series)>, Fault> {
        let found = match &self.what {
            What::Metric(metric) => vec![(0, metric.clone())],
            What::Search(search) => {
                let filter = search.filter(stretch.start.saturating_sub(self.period));
                let found = archive
                    .metrics
                    .metrics(&filter, 0, MOST_FOUND, |metric| search.finds(metric));
                found.map_err(failed)?
            }
        };
        let (numbers, metrics): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let labels = labels(
            self.label.as_deref(),
            &metrics,
            &self.statistic,
            self.period,
        );
        let series = metrics
            .into_iter()
            .zip(labels)
            .map(|(metric, label)| Series {
                id: self.id.clone(),
                label,
                metric,
            });
        Ok(numbers.into_iter().zip(series).collect())
    }

    /// Times and values. What was put in several units is taken together.
    fn points(
        &self,
        archive: &Archive,
        metric: &Metric,
        stretch: Stretch,
    ) -> Result<Vec<(i64, f64)>, Fault> {
        let Stretch { start, end, .. } = stretch;
        let periods = periods(start, end, self.period, archive.now);
        let (unit, detail) = (self.unit.as_deref(), self.statistic.detail());
        let found = archive.metrics.points(metric, periods, unit, detail);
        let mut together: Vec<Point> = Vec::new();
        for point in found.map_err(failed)? {
            match together.last_mut() {
                Some(last) if last.at == point.at => last.add(point),
                _ => together.push(point),
            }
        }
        if stretch.descending {
            together.reverse();
        }
        let values = together.iter();
        let known = values.filter_map(|point| Some((point.at, self.statistic.of(point)?)));
        Ok(known.collect())
    }
}
