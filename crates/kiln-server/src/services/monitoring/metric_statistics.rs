//! GetMetricStatistics: one metric, several statistics.

use kiln_store::{Point, StoreError};
use serde::Deserialize;

use super::Archive;
use super::answer::{Answer, structure};
use super::fault::{combination, failed, invalid, invalid_value};
use super::input::{Dimension, MetricInput, Moment, Number, required};
use super::statistic::{NoStatistic, Statistic, UNITS, is_period, periods};
use crate::reply::Fault;

/// The API's limit on what one answer could hold.
const MOST_POINTS: i64 = 1440;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricStatistics {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    start_time: Option<Moment>,
    end_time: Option<Moment>,
    period: Option<Number>,
    #[serde(default)]
    statistics: Vec<String>,
    #[serde(default)]
    extended_statistics: Vec<String>,
    unit: Option<String>,
}

pub(super) fn answer(archive: &Archive, request: GetMetricStatistics) -> Result<Answer, Fault> {
    let metric = MetricInput {
        namespace: request.namespace,
        metric_name: request.metric_name,
        dimensions: request.dimensions,
    };
    let metric = metric.check("")?;
    let Moment(start) = required(request.start_time, "StartTime")?;
    let Moment(end) = required(request.end_time, "EndTime")?;
    let length = length(required(request.period, "Period")?)?;
    let statistics = statistics(&request.statistics, &request.extended_statistics)?;
    check_stretch(start, end, length)?;
    if let Some(unit) = request.unit.as_ref()
        && !UNITS.contains(&unit.as_str())
    {
        return Err(invalid_value(unit, "Unit"));
    }
    let periods = periods(start, end, length, archive.now);
    let found: Result<Vec<Point>, StoreError> =
        archive
            .metrics
            .points(&metric, periods, request.unit.as_deref());
    let points = found.map_err(failed)?;
    let points = points.iter().map(|point| datapoint(point, &statistics));
    Ok(Answer::Structure(vec![
        ("Label", Answer::Text(metric.name)),
        ("Datapoints", Answer::list(points)),
    ]))
}

fn length(period: Number) -> Result<i64, Fault> {
    let length = period.whole().filter(|length| is_period(*length));
    length.ok_or_else(|| {
        invalid("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
    })
}

/// The statistics that are asked for, in the order in which answers have them.
fn statistics(plain: &[String], extended: &[String]) -> Result<Vec<Statistic>, Fault> {
    if plain.is_empty() && extended.is_empty() {
        return Err(combination(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified.",
        ));
    }
    let mut statistics = Vec::new();
    for (number, name) in (1..).zip(plain) {
        let statistic = name.parse();
        let statistic =
            statistic.map_err(|_| invalid_value(name, &format!("Statistics.member.{number}")))?;
        statistics.push(statistic);
    }
    if let Some(name) = extended.first() {
        return Err(match name.parse::<Statistic>() {
            Err(NoStatistic::NotKept) => invalid(format!(
                "The value {name} for parameter ExtendedStatistics.member.1 is not served by \
                 Kiln, which keeps sums and bounds of metrics and not their single values."
            )),
            _ => invalid_value(name, "ExtendedStatistics.member.1"),
        });
    }
    statistics.sort_unstable();
    statistics.dedup();
    Ok(statistics)
}

fn check_stretch(start: i64, end: i64, length: i64) -> Result<(), Fault> {
    if start == end {
        return Err(invalid(
            "The parameter StartTime must not equal parameter EndTime.",
        ));
    }
    if start > end {
        return Err(invalid(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let most = (end - start + length - 1) / length;
    if most > MOST_POINTS {
        return Err(combination(format!(
            "You have requested up to {} datapoints, which exceeds the limit of {}. You may \
             reduce the datapoints requested by increasing Period, or decreasing the time range.",
            grouped(most),
            grouped(MOST_POINTS)
        )));
    }
    Ok(())
}

/// A number as it is written in English: `1,440`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

fn datapoint(point: &Point, statistics: &[Statistic]) -> Answer {
    let values = statistics
        .iter()
        .map(|one| (one.name(), Some(Answer::Number(one.of(&point.summary)))));
    let first = [("Timestamp", Some(Answer::Time(point.at)))];
    let unit = [("Unit", Some(Answer::text(&point.unit)))];
    structure(first.into_iter().chain(values).chain(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_at_once_is_refused_in_the_cloud_s_words() {
        assert_eq!(check_stretch(0, 86_400, 60), Ok(()));
        let said = check_stretch(0, 86_401, 60).unwrap_err();
        assert_eq!(said.code, "InvalidParameterCombination");
        assert_eq!(
            said.message,
            "You have requested up to 1,441 datapoints, which exceeds the limit of 1,440. You may \
             reduce the datapoints requested by increasing Period, or decreasing the time range."
        );
        assert_eq!(
            check_stretch(5, 5, 60).unwrap_err().code,
            "InvalidParameterValue"
        );
        assert_eq!(
            check_stretch(6, 5, 60).unwrap_err().code,
            "InvalidParameterValue"
        );
        assert_eq!(grouped(12), "12");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn statistics_are_asked_for_by_name() {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            statistics(&words(&["Sum", "Average", "Sum"]), &[]),
            Ok(vec![Statistic::Average, Statistic::Sum])
        );
        for (plain, extended, code) in [
            (words(&[]), words(&[]), "InvalidParameterCombination"),
            (words(&["Mean"]), words(&[]), "InvalidParameterValue"),
            (words(&["Sum"]), words(&["p90"]), "InvalidParameterValue"),
        ] {
            assert_eq!(statistics(&plain, &extended).unwrap_err().code, code);
        }
    }
}
