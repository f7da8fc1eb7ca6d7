//! GetMetricStatistics: one metric, several statistics.

use kiln_store::{Detail, Point};
use serde::Deserialize;

use super::Archive;
use super::answer::{Answer, structure};
use super::fault::{combination, failed, invalid, invalid_value};
use super::input::{Dimension, MetricInput, Moment, Number, required};
use super::percentile::Percentile;
use super::statistic::{NoStatistic, Simple, Statistic, UNITS, is_period, periods};
use crate::reply::Fault;

/// The API's limits: what one answer could hold, and percentiles that it has.
const MOST_POINTS: i64 = 1440;
const MOST_PERCENTILES: usize = 10;

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
    let statistics = Asked::of(&request.statistics, &request.extended_statistics)?;
    check_stretch(start, end, length)?;
    if let Some(unit) = request.unit.as_ref()
        && !UNITS.contains(&unit.as_str())
    {
        return Err(invalid_value(unit, "Unit"));
    }
    let periods = periods(start, end, length, archive.now);
    let unit = request.unit.as_deref();
    let points = archive
        .metrics
        .points(&metric, periods, unit, statistics.detail());
    let points = points.map_err(failed)?;
    let points = points
        .iter()
        .filter_map(|point| statistics.datapoint(point));
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

/// What is asked of every period: either of these, as CloudWatch has it.
#[derive(Debug, PartialEq)]
enum Asked {
    /// In the order in which answers have them.
    Simple(Vec<Simple>),
    Percentiles(Vec<Percentile>),
}

impl Asked {
    fn of(plain: &[String], extended: &[String]) -> Result<Self, Fault> {
        match (plain, extended) {
            ([], []) => Err(combination(
                "At least one of the parameters Statistics and ExtendedStatistics must be \
                 specified.",
            )),
            (plain, []) => simple(plain).map(Self::Simple),
            ([], extended) => percentiles(extended).map(Self::Percentiles),
            _ => Err(combination(
                "The parameters Statistics and ExtendedStatistics are mutually exclusive and you \
                 have specified both.",
            )),
        }
    }

    fn detail(&self) -> Detail {
        match self {
            Self::Simple(_) => Detail::Summaries,
            Self::Percentiles(_) => Detail::Values,
        }
    }

    /// What an answer says of a point, if there is anything to say.
    fn datapoint(&self, point: &Point) -> Option<Answer> {
        let (simple, percentiles) = match self {
            Self::Simple(simple) => (simple.as_slice(), None),
            Self::Percentiles(percentiles) => {
                let values = point.values.as_ref()?;
                let of = |one: &Percentile| {
                    Some((one.name().to_owned(), Answer::Number(one.of(values)?)))
                };
                let all = percentiles.iter().filter_map(of).collect();
                (&[][..], Some(Answer::Map(all)))
            }
        };
        let first = [("Timestamp", Some(Answer::Time(point.at)))];
        let number = |one: &Simple| (one.name(), Some(Answer::Number(one.of(&point.summary))));
        let last = [
            ("Unit", Some(Answer::text(&point.unit))),
            ("ExtendedStatistics", percentiles),
        ];
        let members = first.into_iter().chain(simple.iter().map(number));
        Some(structure(members.chain(last)))
    }
}

fn simple(names: &[String]) -> Result<Vec<Simple>, Fault> {
    let one = |(number, name): (usize, &String)| {
        let known = Simple::named(name);
        known.ok_or_else(|| invalid_value(name, &format!("Statistics.member.{number}")))
    };
    let all = (1..).zip(names).map(one);
    let mut all = all.collect::<Result<Vec<_>, _>>()?;
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn percentiles(names: &[String]) -> Result<Vec<Percentile>, Fault> {
    if names.len() > MOST_PERCENTILES {
        return Err(invalid(format!(
            "The collection ExtendedStatistics must not have a size greater than \
             {MOST_PERCENTILES}."
        )));
    }
    let one = |(number, name): (usize, &String)| {
        let parameter = format!("ExtendedStatistics.member.{number}");
        match name.parse() {
            Ok(Statistic::Percentile(percentile)) => Ok(percentile),
            Err(NoStatistic::NotServed) => Err(invalid(format!(
                "The value {name} for parameter {parameter} is not served by Kiln; percentiles \
                 are."
            ))),
            Ok(Statistic::Simple(_)) | Err(NoStatistic::Unknown) => {
                Err(invalid_value(name, &parameter))
            }
        }
    };
    (1..).zip(names).map(one).collect()
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
            Asked::of(&words(&["Sum", "Average", "Sum"]), &[]),
            Ok(Asked::Simple(vec![Simple::Average, Simple::Sum]))
        );
        let asked = Asked::of(&[], &words(&["p99.9", "p50"])).unwrap();
        let Asked::Percentiles(all) = asked else {
            panic!("{asked:?}")
        };
        let names: Vec<&str> = all.iter().map(Percentile::name).collect();
        assert_eq!(names, ["p99.9", "p50"]);
        let (value, both) = ("InvalidParameterValue", "InvalidParameterCombination");
        for (plain, extended, code) in [
            (words(&[]), words(&[]), both),
            (words(&["Sum"]), words(&["p90"]), both),
            (words(&["Mean"]), words(&[]), value),
            (words(&["p90"]), words(&[]), value),
            (words(&[]), words(&["Sum"]), value),
            (words(&[]), words(&["p50", "p101"]), value),
            (words(&[]), words(&["tm90"]), value),
            (words(&[]), words(&["p1"; 11]), value),
        ] {
            assert_eq!(Asked::of(&plain, &extended).unwrap_err().code, code);
        }
    }
}
