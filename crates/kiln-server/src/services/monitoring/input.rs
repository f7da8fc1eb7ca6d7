//! What requests are made of. Numbers, times and flags may come as text: one of
//! the protocols has nothing else.

use std::collections::BTreeMap;

use kiln_store::Metric;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::fault::{invalid, missing};
use crate::reply::Fault;

/// CloudWatch's limit on dimensions.
pub(super) const MOST_DIMENSIONS: usize = 30;

/// Reads a request.
pub(super) fn read<T: DeserializeOwned>(input: Value) -> Result<T, Fault> {
    serde_json::from_value(input)
        .map_err(|error| Fault::new("SerializationException", error.to_string()))
}

/// A value that is needed.
pub(super) fn required<T>(value: Option<T>, parameter: &str) -> Result<T, Fault> {
    value.ok_or_else(|| missing(parameter))
}

/// A text that is needed, of as many characters at most.
pub(super) fn required_text(
    value: Option<String>,
    parameter: &str,
    most: usize,
) -> Result<String, Fault> {
    let value = required(value.filter(|text| !text.is_empty()), parameter)?;
    if value.chars().count() > most {
        return Err(invalid(format!(
            "The parameter {parameter} must be shorter than {} characters.",
            most + 1
        )));
    }
    if value.contains(char::is_control) {
        return Err(invalid(format!(
            "The parameter {parameter} must contain printable characters only."
        )));
    }
    Ok(value)
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Dimension {
    pub(super) name: Option<String>,
    pub(super) value: Option<String>,
}

/// What names a metric.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricInput {
    pub(super) namespace: Option<String>,
    pub(super) metric_name: Option<String>,
    #[serde(default)]
    pub(super) dimensions: Vec<Dimension>,
}

impl MetricInput {
    /// Checks it, as the part of the request that `place` ends with a dot.
    pub(super) fn check(self, place: &str) -> Result<Metric, Fault> {
        let namespace = required_text(self.namespace, &format!("{place}Namespace"), 255)?;
        if namespace.starts_with(':') {
            return Err(super::fault::invalid_value(
                namespace,
                &format!("{place}Namespace"),
            ));
        }
        Ok(Metric {
            name: required_text(self.metric_name, &format!("{place}MetricName"), 255)?,
            dimensions: dimensions(self.dimensions, &format!("{place}Dimensions"))?,
            namespace,
        })
    }
}

fn dimensions(given: Vec<Dimension>, place: &str) -> Result<BTreeMap<String, String>, Fault> {
    if given.len() > MOST_DIMENSIONS {
        return Err(invalid(format!(
            "The collection {place} must not have a size greater than {MOST_DIMENSIONS}."
        )));
    }
    let one = |(number, Dimension { name, value }): (usize, Dimension)| {
        let member = |part| format!("{place}.member.{}.{part}", number + 1);
        let name = required_text(name, &member("Name"), 255)?;
        Ok((name, required_text(value, &member("Value"), 1024)?))
    };
    given.into_iter().enumerate().map(one).collect()
}

/// A scalar as it was written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Flag(bool),
    Number(f64),
    Text(String),
}

/// A number.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Number(pub(super) f64);

impl TryFrom<Written> for Number {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(number) => Ok(Self(number)),
            // JSON and CBOR write what is no number so.
            Written::Text(text) if text == "Infinity" => Ok(Self(f64::INFINITY)),
            Written::Text(text) if text == "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
            Written::Text(text) => {
                let number = text.parse().map(Self);
                number.map_err(|_| format!("'{text}' can not be converted to a number"))
            }
            Written::Flag(_) => Err("a flag can not be converted to a number".to_owned()),
        }
    }
}

impl Number {
    /// As a whole number, if it is one.
    pub(super) fn whole(self) -> Option<i64> {
        let is_whole = self.0.fract() == 0.0 && self.0.abs() < 1e15;
        is_whole.then_some(self.0 as i64)
    }
}

/// A time, in epoch seconds without their fractions, which CloudWatch ignores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Moment(pub(super) i64);

impl TryFrom<Written> for Moment {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let unfit = |text: &str| format!("'{text}' can not be converted to a timestamp");
        let text = match written {
            Written::Number(seconds) if seconds.abs() < 1e12 => {
                return Ok(Self(seconds.floor() as i64));
            }
            Written::Text(text) => text,
            Written::Number(number) => return Err(unfit(&number.to_string())),
            Written::Flag(flag) => return Err(unfit(&flag.to_string())),
        };
        let time = OffsetDateTime::parse(&text, &Rfc3339);
        time.map(|time| Self(time.unix_timestamp()))
            .map_err(|_| unfit(&text))
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Flag(pub(super) bool);

impl TryFrom<Written> for Flag {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Flag(flag) => Ok(Self(flag)),
            Written::Text(text) if text == "true" => Ok(Self(true)),
            Written::Text(text) if text == "false" => Ok(Self(false)),
            _ => Err("what is neither true nor false can not be converted to a flag".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_read_however_they_are_written() {
        for (written, expected) in [
            (json!(60), Some(60.0)),
            (json!("60"), Some(60.0)),
            (json!("1e3"), Some(1000.0)),
            (json!("-Infinity"), Some(f64::NEG_INFINITY)),
            (json!("x"), None),
            (json!(true), None),
        ] {
            let number = serde_json::from_value::<Number>(written.clone()).ok();
            assert_eq!(number.map(|Number(n)| n), expected, "{written}");
        }
        for (written, expected) in [
            (json!(1_795_003_200), Some(1_795_003_200)),
            (json!(1_795_003_200.75), Some(1_795_003_200)),
            (json!("2026-11-18T12:00:00Z"), Some(1_795_003_200)),
            (json!("2026-11-18T13:00:00.5+01:00"), Some(1_795_003_200)),
            (json!(1e300), None),
            (json!("yesterday"), None),
        ] {
            let moment = serde_json::from_value::<Moment>(written.clone()).ok();
            assert_eq!(moment.map(|Moment(m)| m), expected, "{written}");
        }
        for (written, expected) in [
            (json!(false), Some(false)),
            (json!("true"), Some(true)),
            (json!(1), None),
        ] {
            let flag = serde_json::from_value::<Flag>(written).ok();
            assert_eq!(flag.map(|Flag(f)| f), expected);
        }
    }

    #[test]
    fn a_metric_says_what_it_lacks() {
        let metric = |input: Value| read::<MetricInput>(input).unwrap().check("A.");
        let whole = json!({"Namespace": "n", "MetricName": "m",
            "Dimensions": [{"Name": "b", "Value": "1"}, {"Name": "a", "Value": "2"}]});
        let found = metric(whole).unwrap();
        assert_eq!(found.dimensions.keys().collect::<Vec<_>>(), ["a", "b"]);
        for (input, said) in [
            (
                json!({"MetricName": "m"}),
                "The parameter A.Namespace is required.",
            ),
            (
                json!({"Namespace": "n"}),
                "The parameter A.MetricName is required.",
            ),
            (
                json!({"Namespace": "n", "MetricName": "m", "Dimensions": [{"Name": "x"}]}),
                "The parameter A.Dimensions.member.1.Value is required.",
            ),
            (
                json!({"Namespace": ":n", "MetricName": "m"}),
                "The value :n for parameter A.Namespace is invalid.",
            ),
            (
                json!({"Namespace": "n", "MetricName": "m".repeat(256)}),
                "The parameter A.MetricName must be shorter than 256 characters.",
            ),
        ] {
            assert_eq!(metric(input).unwrap_err().message, said);
        }
    }
}
