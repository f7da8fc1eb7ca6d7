//! PutMetricData: checks what is put, and makes points of it.

use kiln_store::{NewPoint, Summary};
use serde::Deserialize;

use super::fault::{combination, invalid, invalid_value, missing};
use super::input::{Dimension, MetricInput, Moment, Number};
use super::statistic::UNITS;
use crate::reply::Fault;

/// The API's limits on one request.
const MOST_DATA: usize = 1000;
const MOST_VALUES: usize = 150;
/// How far from now a value may be, in seconds: two weeks before and two hours after.
const OLDEST: i64 = 14 * 86_400;
const NEWEST: i64 = 2 * 3600;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutMetricData {
    namespace: Option<String>,
    #[serde(default)]
    metric_data: Vec<Datum>,
    #[serde(default)]
    entity_metric_data: Vec<EntityData>,
}

/// Data of an entity. What the entity is, nobody here asks.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntityData {
    #[serde(default)]
    metric_data: Vec<Datum>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datum {
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    timestamp: Option<Moment>,
    value: Option<Number>,
    statistic_values: Option<StatisticSet>,
    #[serde(default)]
    values: Vec<Number>,
    #[serde(default)]
    counts: Vec<Number>,
    unit: Option<String>,
    storage_resolution: Option<Number>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSet {
    sample_count: Option<Number>,
    sum: Option<Number>,
    minimum: Option<Number>,
    maximum: Option<Number>,
}

/// The points of a request that is in order.
pub(super) fn points(request: PutMetricData, now: i64) -> Result<Vec<NewPoint>, Fault> {
    let namespace = request.namespace.filter(|name| !name.is_empty());
    let namespace = namespace.ok_or_else(|| missing("Namespace"))?;
    // The services of the cloud have those.
    if namespace.starts_with("AWS/") {
        return Err(invalid_value(namespace, "Namespace"));
    }
    let own = request.metric_data.into_iter().enumerate();
    let own = own.map(|(n, datum)| (format!("MetricData.member.{}.", n + 1), datum));
    let of_entities = request.entity_metric_data.into_iter().enumerate();
    let of_entities = of_entities.flat_map(|(e, data)| {
        let place = move |n| format!("EntityMetricData.member.{}.MetricData.member.{n}.", e + 1);
        let numbered = (1..).zip(data.metric_data);
        numbered.map(move |(n, datum)| (place(n), datum))
    });
    let all: Vec<_> = own.chain(of_entities).collect();
    match all.len() {
        0 => return Err(missing("MetricData")),
        1..=MOST_DATA => {}
        _ => {
            return Err(invalid(format!(
                "The collection MetricData must not have a size greater than {MOST_DATA}."
            )));
        }
    }
    let points = |(place, datum): (String, Datum)| datum.points(&place, &namespace, now);
    let each: Result<Vec<Vec<NewPoint>>, Fault> = all.into_iter().map(points).collect();
    Ok(each?.into_iter().flatten().collect())
}

impl Datum {
    /// A point for each value that it has.
    fn points(self, place: &str, namespace: &str, now: i64) -> Result<Vec<NewPoint>, Fault> {
        let summaries = self.summaries(place)?;
        let resolution = resolution(self.storage_resolution, place)?;
        let at = timestamp(self.timestamp, place, now)?;
        let unit = unit(self.unit, place)?;
        let metric = MetricInput {
            namespace: Some(namespace.to_owned()),
            metric_name: self.metric_name,
            dimensions: self.dimensions,
        };
        let metric = metric.check(place)?;
        let point = |summary| NewPoint {
            metric: metric.clone(),
            at: at - at.rem_euclid(resolution),
            unit: unit.clone(),
            summary,
        };
        Ok(summaries.into_iter().map(point).collect())
    }

    fn summaries(&self, place: &str) -> Result<Vec<Summary>, Fault> {
        let given = [
            ("Value", self.value.is_some()),
            ("Values", !self.values.is_empty()),
            ("StatisticValues", self.statistic_values.is_some()),
        ];
        let mut given = given.iter().filter(|(_, there)| *there);
        match (given.next(), given.next()) {
            (Some((one, _)), Some((other, _))) => Err(combination(format!(
                "The parameters {place}{one} and {place}{other} are mutually exclusive and you \
                 have specified both."
            ))),
            (None, _) => Err(missing(&format!("{place}Value"))),
            _ => match (self.value, self.statistic_values) {
                (Some(value), _) => {
                    let value = measurable(value, &format!("{place}Value"))?;
                    Ok(vec![Summary::of(value)])
                }
                (None, Some(set)) => Ok(vec![set.summary(&format!("{place}StatisticValues."))?]),
                (None, None) => self.distribution(place),
            },
        }
    }

    /// Values, each seen as often as its count says.
    fn distribution(&self, place: &str) -> Result<Vec<Summary>, Fault> {
        let (values, counts) = (&self.values, &self.counts);
        if values.len() > MOST_VALUES {
            return Err(invalid(format!(
                "The collection {place}Values must not have a size greater than {MOST_VALUES}."
            )));
        }
        if !counts.is_empty() && counts.len() != values.len() {
            return Err(invalid(format!(
                "The parameters {place}Values and {place}Counts must be of the same size."
            )));
        }
        let counts = counts.iter().copied().chain(std::iter::repeat(Number(1.0)));
        let one = |(number, (value, count)): (usize, (&Number, Number))| {
            let value = measurable(*value, &format!("{place}Values.member.{number}"))?;
            let parameter = format!("{place}Counts.member.{number}");
            let count = measurable(count, &parameter)?;
            match count > 0.0 {
                true => Ok(Summary::of_many(value, count)),
                false => Err(invalid_value(count, &parameter)),
            }
        };
        (1..).zip(values.iter().zip(counts)).map(one).collect()
    }
}

impl StatisticSet {
    fn summary(self, place: &str) -> Result<Summary, Fault> {
        let number = |given: Option<Number>, name: &str| {
            let parameter = format!("{place}{name}");
            measurable(given.ok_or_else(|| missing(&parameter))?, &parameter)
        };
        let summary = Summary {
            samples: number(self.sample_count, "SampleCount")?,
            total: number(self.sum, "Sum")?,
            lowest: number(self.minimum, "Minimum")?,
            highest: number(self.maximum, "Maximum")?,
        };
        if summary.samples <= 0.0 {
            return Err(invalid_value(
                summary.samples,
                &format!("{place}SampleCount"),
            ));
        }
        if summary.lowest > summary.highest {
            return Err(combination(format!(
                "The parameter {place}Maximum must be greater than or equal to {place}Minimum."
            )));
        }
        Ok(summary)
    }
}

/// CloudWatch takes numbers between -2^360 and 2^360.
fn measurable(Number(value): Number, parameter: &str) -> Result<f64, Fault> {
    if value.abs() <= 2f64.powi(360) {
        Ok(value)
    } else {
        Err(invalid_value(value, parameter))
    }
}

fn unit(given: Option<String>, place: &str) -> Result<String, Fault> {
    let unit = given.unwrap_or_else(|| "None".to_owned());
    if UNITS.contains(&unit.as_str()) {
        Ok(unit)
    } else {
        Err(invalid_value(unit, &format!("{place}Unit")))
    }
}

fn resolution(given: Option<Number>, place: &str) -> Result<i64, Fault> {
    match given.map(Number::whole) {
        None => Ok(60),
        Some(Some(seconds @ (1 | 60))) => Ok(seconds),
        Some(_) => Err(invalid(format!(
            "The parameter {place}StorageResolution must be 1 or 60."
        ))),
    }
}

fn timestamp(given: Option<Moment>, place: &str, now: i64) -> Result<i64, Fault> {
    let at = given.map_or(now, |Moment(at)| at);
    let bound = match at - now {
        ahead if ahead > NEWEST => "two hours in the future",
        ahead if ahead < -OLDEST => "two weeks in the past",
        _ => return Ok(at),
    };
    Err(invalid(format!(
        "The parameter {place}Timestamp must specify a time no more than {bound}."
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::services::monitoring::input::read;

    const NOW: i64 = 1_795_003_230;

    fn put(datum: Value) -> Result<Vec<NewPoint>, Fault> {
        points(
            read(json!({"Namespace": "n", "MetricData": [datum]})).unwrap(),
            NOW,
        )
    }

    #[test]
    fn data_become_points() {
        let cases = [
            (json!({"Value": 2.5}), NOW - 30, vec![Summary::of(2.5)]),
            (
                json!({"Value": "2.5", "StorageResolution": "1"}),
                NOW,
                vec![Summary::of(2.5)],
            ),
            (
                json!({"Values": [1, 2, 5], "Counts": [1, 3, 0.5], "Timestamp": NOW - 60}),
                NOW - 90,
                vec![
                    Summary::of(1.0),
                    Summary::of_many(2.0, 3.0),
                    Summary::of_many(5.0, 0.5),
                ],
            ),
            (
                json!({"Values": [4, 2]}),
                NOW - 30,
                vec![Summary::of(4.0), Summary::of(2.0)],
            ),
            (
                json!({"StatisticValues":
                    {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 5}}),
                NOW - 30,
                vec![Summary {
                    samples: 4.0,
                    total: 10.0,
                    lowest: 1.0,
                    highest: 5.0,
                }],
            ),
        ];
        for (mut datum, at, summaries) in cases {
            datum["MetricName"] = json!("m");
            let points = put(datum).unwrap();
            let found: Vec<Summary> = points.iter().map(|point| point.summary).collect();
            assert_eq!(found, summaries);
            assert!(
                points
                    .iter()
                    .all(|point| (point.at, point.unit.as_str()) == (at, "None"))
            );
        }
    }

    #[test]
    fn what_is_out_of_order_is_refused_in_words() {
        let m = "MetricData.member.1";
        let cases = [
            (
                json!({"Value": 1}),
                format!("The parameter {m}.MetricName is required."),
            ),
            (
                json!({"MetricName": "m"}),
                format!("The parameter {m}.Value is required."),
            ),
            (
                json!({"MetricName": "m", "Value": "NaN"}),
                format!("The value NaN for parameter {m}.Value is invalid."),
            ),
            (
                json!({"MetricName": "m", "Value": 1, "Unit": "Hours"}),
                format!("The value Hours for parameter {m}.Unit is invalid."),
            ),
            (
                json!({"MetricName": "m", "Value": 1, "Values": [1]}),
                format!(
                    "The parameters {m}.Value and {m}.Values are mutually exclusive and you have \
                     specified both."
                ),
            ),
            (
                json!({"MetricName": "m", "Values": [1, 2], "Counts": [1]}),
                format!("The parameters {m}.Values and {m}.Counts must be of the same size."),
            ),
            (
                json!({"MetricName": "m", "Values": [1, 2], "Counts": [1, 0]}),
                format!("The value 0 for parameter {m}.Counts.member.2 is invalid."),
            ),
            (
                json!({"MetricName": "m", "StatisticValues": {"SampleCount": 1, "Sum": 1}}),
                format!("The parameter {m}.StatisticValues.Minimum is required."),
            ),
            (
                json!({"MetricName": "m", "Value": 1, "StorageResolution": 30}),
                format!("The parameter {m}.StorageResolution must be 1 or 60."),
            ),
            (
                json!({"MetricName": "m", "Value": 1, "Timestamp": NOW - 15 * 86_400}),
                format!(
                    "The parameter {m}.Timestamp must specify a time no more than two weeks in \
                     the past."
                ),
            ),
            (
                json!({"MetricName": "m", "Value": 1, "Timestamp": NOW + 3 * 3600}),
                format!(
                    "The parameter {m}.Timestamp must specify a time no more than two hours in \
                     the future."
                ),
            ),
        ];
        for (datum, said) in cases {
            assert_eq!(put(datum).unwrap_err().message, said);
        }
        let request = |input| points(read(input).unwrap(), NOW).unwrap_err();
        assert_eq!(request(json!({})).code, "MissingParameter");
        assert_eq!(request(json!({"Namespace": "n"})).code, "MissingParameter");
        let reserved = json!({"Namespace": "AWS/EC2", "MetricData": []});
        assert_eq!(request(reserved).code, "InvalidParameterValue");
        let many = vec![json!({"MetricName": "m", "Value": 1}); MOST_DATA + 1];
        let many = request(json!({"Namespace": "n", "MetricData": many}));
        assert!(many.message.contains("greater than 1000"), "{many:?}");
    }

    #[test]
    fn data_of_entities_are_data() {
        let data = json!([{"Entity": {}, "MetricData": [{"MetricName": "m", "Value": 1}]}]);
        let request = json!({"Namespace": "n", "EntityMetricData": data});
        assert_eq!(points(read(request).unwrap(), NOW).unwrap().len(), 1);
    }
}
