//! The properties that filters and orders name, and where a record has them.

use serde_json::Value;

use super::InvalidSearch;
use super::catalogue::{self, Kind};

/// A property of a training job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name as it was given.
    pub name: String,
    /// What it is compared as.
    pub kind: PropertyKind,
    place: Place,
}

/// How the values of a property are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyKind {
    /// As the service model says.
    Of(Kind),
    /// A text that counts as a number where it is compared with one.
    HyperParameter,
}

/// Where a record has a property.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Member by member. Lists on the way are passed through.
    Path(Vec<String>),
    /// Among the last values of the metrics.
    Metric(String),
    /// Among the tags.
    Tag(String),
}

/// The member with the last values of metrics.
pub const METRICS: &str = "FinalMetricDataList";
/// The member with the tags.
pub const TAGS: &str = "Tags";

impl Property {
    /// The property of a name: a path of members, or `Metrics.`, `Tags.`,
    /// `HyperParameters.` or another map's path and a name within.
    pub fn named(name: &str) -> Result<Self, InvalidSearch> {
        let unknown = || InvalidSearch::UnknownProperty(name.to_owned());
        let property = |kind, place| Self {
            name: name.to_owned(),
            kind,
            place,
        };
        let of = PropertyKind::Of;
        if let Some(kind) = catalogue::kind(name) {
            return Ok(property(of(kind), Place::Path(path(name))));
        }
        if let Some(metric) = within(name, "Metrics") {
            return Ok(property(of(Kind::Float), Place::Metric(metric.to_owned())));
        }
        if let Some(tag) = within(name, TAGS) {
            return Ok(property(of(Kind::Text), Place::Tag(tag.to_owned())));
        }
        let maps = catalogue::CATALOGUE
            .iter()
            .filter(|(_, kind)| *kind == Kind::Map);
        let (map, key) = maps
            .filter_map(|(map, _)| Some((*map, within(name, map)?)))
            .next()
            .ok_or_else(unknown)?;
        let kind = match map {
            "HyperParameters" => PropertyKind::HyperParameter,
            _ => of(Kind::Text),
        };
        let mut steps = path(map);
        steps.push(key.to_owned());
        Ok(property(kind, Place::Path(steps)))
    }

    /// The member of a record that the property is in.
    pub fn member(&self) -> &str {
        match &self.place {
            Place::Path(steps) => steps.first().map_or("", String::as_str),
            Place::Metric(_) => METRICS,
            Place::Tag(_) => TAGS,
        }
    }

    /// The tag that the property is.
    pub fn tag(&self) -> Option<&str> {
        match &self.place {
            Place::Tag(key) => Some(key),
            Place::Path(_) | Place::Metric(_) => None,
        }
    }

    /// The property as it is seen from the objects of another; `None` if it is not below
    /// that one.
    pub fn seen_from(&self, outer: &Self) -> Option<Self> {
        let (Place::Path(steps), Place::Path(above)) = (&self.place, &outer.place) else {
            return None;
        };
        let below = steps.strip_prefix(above.as_slice())?;
        (!below.is_empty()).then(|| Self {
            place: Place::Path(below.to_vec()),
            ..self.clone()
        })
    }

    /// All values that a record has of the property.
    pub fn values<'a>(&self, record: &'a Value) -> Vec<&'a Value> {
        match &self.place {
            Place::Path(steps) => {
                let mut found = Vec::new();
                walk(record, steps, &mut found);
                found
            }
            Place::Metric(name) => entries(record, METRICS, ("MetricName", name)),
            Place::Tag(key) => entries(record, TAGS, ("Key", key)),
        }
    }
}

fn path(name: &str) -> Vec<String> {
    name.split('.').map(str::to_owned).collect()
}

/// What follows a group's name and a full stop; names within may have full stops too.
fn within<'a>(name: &'a str, group: &str) -> Option<&'a str> {
    let inner = name.strip_prefix(group)?.strip_prefix('.')?;
    (!inner.is_empty()).then_some(inner)
}

fn walk<'a>(value: &'a Value, steps: &[String], found: &mut Vec<&'a Value>) {
    if let Value::Array(items) = value {
        return items.iter().for_each(|item| walk(item, steps, found));
    }
    match steps.split_first() {
        None => found.extend((!value.is_null()).then_some(value)),
        Some((step, rest)) => {
            if let Some(inner) = value.get(step) {
                walk(inner, rest, found);
            }
        }
    }
}

/// The values of the entries of a list that are called so.
fn entries<'a>(record: &'a Value, list: &str, (member, name): (&str, &str)) -> Vec<&'a Value> {
    let all = record.get(list).and_then(Value::as_array);
    let called = |entry: &&Value| entry.get(member).and_then(Value::as_str) == Some(name);
    let values = all.into_iter().flatten().filter(called);
    values.filter_map(|entry| entry.get("Value")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_lead_to_values() {
        let record = json!({
            "TrainingJobName": "a",
            "HyperParameters": {"x": "1", "a.b": "2"},
            "Environment": {"HOME": "/"},
            "VpcConfig": {"Subnets": ["one", "two"]},
            "InputDataConfig": [
                {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://t"}}},
                {"ChannelName": "test", "DataSource": {"FileSystemDataSource": {}}},
            ],
            "FinalMetricDataList": [{"MetricName": "validation:rmse.x", "Value": 0.5}],
            "Tags": [{"Key": "team.x", "Value": "blue"}],
        });
        for (name, values) in [
            ("TrainingJobName", json!(["a"])),
            ("HyperParameters.x", json!(["1"])),
            ("HyperParameters.a.b", json!(["2"])),
            ("HyperParameters.none", json!([])),
            ("Environment.HOME", json!(["/"])),
            ("VpcConfig.Subnets", json!(["one", "two"])),
            ("InputDataConfig.ChannelName", json!(["train", "test"])),
            (
                "InputDataConfig.DataSource.S3DataSource.S3Uri",
                json!(["s3://t"]),
            ),
            ("Metrics.validation:rmse.x", json!([0.5])),
            ("Metrics.rmse", json!([])),
            ("Tags.team.x", json!(["blue"])),
            (
                "FinalMetricDataList.MetricName",
                json!(["validation:rmse.x"]),
            ),
            ("FailureReason", json!([])),
        ] {
            let property = Property::named(name).unwrap();
            assert_eq!(json!(property.values(&record)), values, "{name}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "trainingJobName",
            "Name",
            "Metrics",
            "Metrics.",
            "Tags.",
            "ResourceConfig.",
            "ResourceConfig.Size",
            "TrainingJobName.x",
            ".",
        ] {
            assert!(Property::named(name).is_err(), "{name}");
        }
    }
}
