//! What series are called: as the query says, or by what tells them apart.

use std::collections::BTreeSet;

use kiln_store::Metric;

use crate::services::monitoring::statistic::Statistic;

/// A label for each metric. One that is given may hold `${PROP('MetricName')}`,
/// `${PROP('Dim.Host')}` and so on, and `${LABEL}` for what it would be else.
pub(super) fn labels(
    given: Option<&str>,
    metrics: &[Metric],
    statistic: &Statistic,
    period: i64,
) -> Vec<String> {
    let usual = usual(metrics);
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return usual;
    };
    let named = metrics.iter().zip(usual).map(|(metric, usual)| {
        filled(given, |name| match name {
            "LABEL" => Some(usual.clone()),
            _ => {
                let property = name.strip_prefix("PROP('")?.strip_suffix("')")?;
                property_of(metric, property, statistic, period)
            }
        })
    });
    named.collect()
}

/// What tells the metrics apart: values of dimensions, their names, or both. One
/// that is alone goes by its name.
fn usual(metrics: &[Metric]) -> Vec<String> {
    let differ = |of: &dyn Fn(&Metric) -> Option<String>| {
        metrics.iter().map(of).collect::<BTreeSet<_>>().len() > 1
    };
    let names_differ = differ(&|metric| Some(metric.name.clone()));
    let dimensions: BTreeSet<&String> = metrics.iter().flat_map(|m| m.dimensions.keys()).collect();
    let telling: Vec<&String> = dimensions
        .into_iter()
        .filter(|name| differ(&|metric| metric.dimensions.get(*name).cloned()))
        .collect();
    let label = |metric: &Metric| {
        let values = telling
            .iter()
            .filter_map(|name| metric.dimensions.get(*name));
        let mut parts: Vec<&str> = values.map(String::as_str).collect();
        if names_differ || parts.is_empty() {
            parts.push(&metric.name);
        }
        parts.join(" ")
    };
    metrics.iter().map(label).collect()
}

/// Puts a value in the place of each `${name}` that has one.
fn filled(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut label = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        label.push_str(before);
        let known = after
            .split_once('}')
            .and_then(|(name, after)| Some((value(name.trim())?, after)));
        match known {
            Some((value, after)) => {
                label.push_str(&value);
                rest = after;
            }
            None => {
                label.push_str("${");
                rest = after;
            }
        }
    }
    label + rest
}

fn property_of(
    metric: &Metric,
    property: &str,
    statistic: &Statistic,
    period: i64,
) -> Option<String> {
    match property {
        "MetricName" => Some(metric.name.clone()),
        "Namespace" => Some(metric.namespace.clone()),
        "Stat" => Some(statistic.name().to_owned()),
        "Period" => Some(period.to_string()),
        other => metric.dimensions.get(other.strip_prefix("Dim.")?).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::monitoring::statistic::Simple;

    fn metric(name: &str, host: &str) -> Metric {
        Metric {
            namespace: "n".to_owned(),
            name: name.to_owned(),
            dimensions: [("Host".to_owned(), host.to_owned())].into(),
        }
    }

    #[test]
    fn series_are_called_by_what_tells_them_apart() {
        let (a, b, c) = (metric("cpu", "1"), metric("cpu", "2"), metric("disk", "1"));
        let label = |given: Option<&str>, metrics: &[&Metric]| {
            let metrics: Vec<Metric> = metrics.iter().map(|one| (*one).clone()).collect();
            labels(given, &metrics, &Statistic::Simple(Simple::Average), 60)
        };
        assert_eq!(label(None, &[&a]), ["cpu"]);
        assert_eq!(label(None, &[&a, &b]), ["1", "2"]);
        assert_eq!(label(None, &[&a, &c]), ["cpu", "disk"]);
        assert_eq!(label(None, &[&a, &b, &c]), ["1 cpu", "2 cpu", "1 disk"]);
        assert_eq!(label(Some("mine"), &[&a]), ["mine"]);
        let dynamic = "${PROP('Dim.Host')}: ${PROP('Stat')} of ${LABEL} ${x} ${";
        assert_eq!(label(Some(dynamic), &[&a]), ["1: Average of cpu ${x} ${"]);
    }
}
