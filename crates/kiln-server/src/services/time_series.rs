//! SageMaker's metrics service: values of trial components, step by step.
//!
//! A job's own metrics are those of the trial component `JOB-aws-training-job`,
//! where the job asks for that. Kiln keeps no trial components: every well-formed
//! name is one. Places on the axis of time are epoch seconds.

mod sums;

use http::Method;
use kiln_jobs::training::trial_component;
use kiln_store::{MetricStore, TrialAxis, TrialValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::sums::{Statistic, Sums};
use super::{Call, Services};
use crate::door::require_owner;
use crate::keyring::Principal;
use crate::reply::{Fault, Reply, json as reply};

/// Where the service's operations are.
const PUT: &str = "/BatchPutMetrics";
const GET: &str = "/BatchGetMetrics";

/// The API's limits on one request.
const MOST_VALUES: usize = 10;
const MOST_QUERIES: usize = 100;
/// What one query shows at most.
const MOST_SHOWN: usize = 10_000;

/// Whether a path is one of this service, which signs as SageMaker does.
pub(crate) fn serves(path: &str) -> bool {
    matches!(path, PUT | GET)
}

pub(crate) async fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    let metrics = services.store.metrics.clone();
    match (&call.parts.method, call.parts.uri.path()) {
        (&Method::PUT, PUT) => {
            may_put(services, call)?;
            put(&metrics, read(call)?).await
        }
        (&Method::POST, GET) => {
            require_owner(
                &call.caller,
                &services.identity,
                "sagemaker:BatchGetMetrics",
            )?;
            let request: Get = read(call)?;
            let reading = tokio::task::spawn_blocking(move || get(&metrics, &request));
            reading.await.map_err(|error| Fault::internal(&error))?
        }
        _ => Err(Fault::new(
            "UnknownOperationException",
            "The request names no operation.",
        )),
    }
}

/// A job may put metrics, as its role may in the cloud.
fn may_put(services: &Services, call: &Call<'_>) -> Result<(), Fault> {
    if matches!(call.caller, Principal::Job(_)) {
        return Ok(());
    }
    require_owner(
        &call.caller,
        &services.identity,
        "sagemaker:BatchPutMetrics",
    )
}

fn read<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, Fault> {
    serde_json::from_value(call.json()?)
        .map_err(|error| Fault::new("SerializationException", error.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    trial_component_name: Option<String>,
    #[serde(default)]
    metric_data: Vec<RawMetric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMetric {
    metric_name: Option<String>,
    timestamp: Option<f64>,
    step: Option<i64>,
    value: Option<Value>,
}

/// Keeps what is in order, and says which is not.
async fn put(metrics: &MetricStore, request: Put) -> Result<Reply, Fault> {
    let component = request.trial_component_name.unwrap_or_default();
    if !is_component_name(&component) {
        return Err(refused(
            &component,
            "trialComponentName",
            "Member must satisfy regular expression pattern: ^[a-z0-9](-*[a-z0-9]){0,119}",
        ));
    }
    check_length("metricData", request.metric_data.len(), MOST_VALUES)?;
    let read: Vec<_> = request.metric_data.into_iter().map(value).collect();
    let wrong = read.iter().enumerate().filter(|(_, value)| value.is_none());
    let errors: Vec<Value> = wrong
        .map(|(index, _)| json!({"Code": "VALIDATION_ERROR", "MetricIndex": index}))
        .collect();
    let values = read.into_iter().flatten().collect();
    let put = metrics.add_trial_values(&component, values).await;
    put.map_err(|error| Fault::internal(&error))?;
    let answer = if errors.is_empty() {
        json!({})
    } else {
        json!({"Errors": errors})
    };
    Ok(reply(answer.to_string()))
}

fn value(raw: RawMetric) -> Option<TrialValue> {
    let at = raw.timestamp?;
    // What is no number, JSON has as text.
    let value = raw.value?.as_f64()?;
    Some(TrialValue {
        metric: raw.metric_name.filter(|name| is_metric_name(name))?,
        at: (at.abs() < 1e12).then_some((at * 1000.0).round() as i64)?,
        step: raw.step,
        value,
    })
    .filter(|value| value.step.is_none_or(|step| step >= 0))
}

/// AWS's pattern: `^[a-z0-9](-*[a-z0-9]){0,119}`.
fn is_component_name(name: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= 120
        && name.bytes().next().is_some_and(is_letter)
        && name.bytes().last().is_some_and(is_letter)
        && name.bytes().all(|b| is_letter(b) || b == b'-')
}

fn is_metric_name(name: &str) -> bool {
    (1..=255).contains(&name.chars().count())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    #[serde(default)]
    metric_queries: Vec<Query>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    metric_name: String,
    resource_arn: String,
    metric_stat: Statistic,
    period: Period,
    x_axis_type: Axis,
    start: Option<i64>,
    end: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Period {
    OneMinute,
    FiveMinute,
    OneHour,
    IterationNumber,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Axis {
    IterationNumber,
    Timestamp,
}

fn get(metrics: &MetricStore, request: &Get) -> Result<Reply, Fault> {
    check_length("metricQueries", request.metric_queries.len(), MOST_QUERIES)?;
    let results = request.metric_queries.iter();
    let results: Result<Vec<Value>, Fault> = results.map(|query| query.answer(metrics)).collect();
    Ok(reply(json!({"MetricQueryResults": results?}).to_string()))
}

impl Query {
    fn answer(&self, metrics: &MetricStore) -> Result<Value, Fault> {
        let (component, step) = match (component(&self.resource_arn), self.step()) {
            (Some(component), Some(step)) => (component, step),
            (None, _) => return Ok(invalid("The resource's ARN is not one of a metric's.")),
            (_, None) => return Ok(invalid("The period is not one of the axis.")),
        };
        let (axis, unit) = match self.x_axis_type {
            Axis::IterationNumber => (TrialAxis::Step, 1),
            Axis::Timestamp => (TrialAxis::Time, 1000),
        };
        let start = self.start.unwrap_or(0).saturating_mul(unit);
        let end = self.end.map_or(i64::MAX, |end| {
            end.saturating_mul(unit).saturating_add(unit - 1)
        });
        let mut series: Vec<(i64, Sums)> = Vec::new();
        let shown = metrics.trial_values(
            (&component, &self.metric_name),
            axis,
            (start, end),
            |place, value| {
                let place = place.div_euclid(unit);
                let place = place - place.rem_euclid(step);
                match series.last_mut() {
                    Some((last, sums)) if *last == place => sums.add(value),
                    _ => series.push((place, Sums::of(value))),
                }
            },
        );
        shown.map_err(|error| Fault::internal(&error))?;
        let is_whole = series.len() <= MOST_SHOWN;
        series.truncate(MOST_SHOWN);
        let places: Vec<i64> = series.iter().map(|(place, _)| *place).collect();
        let values: Vec<f64> = series
            .iter()
            .map(|(_, sums)| sums.statistic(self.metric_stat))
            .collect();
        Ok(json!({
            "Status": if is_whole { "Complete" } else { "Truncated" },
            "XAxisValues": places,
            "MetricValues": values,
        }))
    }

    /// What a period is on the axis, if it is one of it.
    fn step(&self) -> Option<i64> {
        match (self.x_axis_type, self.period) {
            (Axis::IterationNumber, Period::IterationNumber) => Some(1),
            (Axis::Timestamp, Period::OneMinute) => Some(60),
            (Axis::Timestamp, Period::FiveMinute) => Some(300),
            (Axis::Timestamp, Period::OneHour) => Some(3600),
            _ => None,
        }
    }
}

fn invalid(message: &str) -> Value {
    json!({
        "Status": "ValidationError", "Message": message, "XAxisValues": [], "MetricValues": [],
    })
}

/// The trial component that holds the metrics of a resource.
fn component(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let is_sagemaker = parts.next() == Some("arn") && parts.nth(1) == Some("sagemaker");
    let (kind, name) = parts.nth(2)?.split_once('/')?;
    match kind {
        _ if !is_sagemaker || name.is_empty() => None,
        "training-job" => Some(trial_component(name)),
        "experiment-trial-component" => Some(name.to_owned()),
        _ => None,
    }
}

fn check_length(member: &str, length: usize, most: usize) -> Result<(), Fault> {
    let bound = match length {
        0 => "Member must have length greater than or equal to 1".to_owned(),
        _ if length > most => format!("Member must have length less than or equal to {most}"),
        _ => return Ok(()),
    };
    Err(refused(&format!("[{length} items]"), member, &bound))
}

fn refused(value: &str, member: &str, bound: &str) -> Fault {
    Fault::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
             constraint: {bound}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_known_by_arns_and_names() {
        let arn =
            |rest: &str| component(&format!("arn:aws:sagemaker:us-east-1:123456789012:{rest}"));
        assert_eq!(
            arn("training-job/My-Job").as_deref(),
            Some("my-job-aws-training-job")
        );
        assert_eq!(arn("experiment-trial-component/c").as_deref(), Some("c"));
        for other in ["training-job/", "model/m", "training-job"] {
            assert_eq!(arn(other), None, "{other}");
        }
        assert_eq!(component("arn:aws:s3:::training-job/x"), None);
        let long = "a".repeat(120);
        for (name, is_name) in [
            ("a", true),
            ("a--b-1", true),
            (long.as_str(), true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("A", false),
            ("a_b", false),
        ] {
            assert_eq!(is_component_name(name), is_name, "{name}");
        }
        assert!(!is_component_name(&"a".repeat(121)));
    }

    #[test]
    fn only_values_in_order_are_kept() {
        let raw = |input: Value| value(serde_json::from_value(input).unwrap());
        let whole = json!({"MetricName": "m", "Timestamp": 1.5, "Step": 3, "Value": 0.5});
        let expected = TrialValue {
            metric: "m".to_owned(),
            at: 1500,
            step: Some(3),
            value: 0.5,
        };
        assert_eq!(raw(whole.clone()), Some(expected));
        for (member, wrong) in [
            ("MetricName", json!("")),
            ("MetricName", Value::Null),
            ("Timestamp", Value::Null),
            ("Timestamp", json!(1e30)),
            ("Step", json!(-1)),
            ("Value", json!("NaN")),
            ("Value", Value::Null),
        ] {
            let mut input = whole.clone();
            input[member] = wrong;
            assert_eq!(raw(input), None, "{member}");
        }
    }
}
