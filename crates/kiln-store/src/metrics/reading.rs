//! What there is: metrics by name and dimensions, and their points by periods.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::writing::{key, names_key};
use super::{Detail, Metric, MetricStore, Point, Summary, single_values};
use crate::StoreError;

/// Which metrics are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricFilter {
    /// Only of this namespace.
    pub namespace: Option<String>,
    /// Only of this name.
    pub name: Option<String>,
    /// Only with these dimensions, of any value or of this one; there may be more.
    pub dimensions: Vec<(String, Option<String>)>,
    /// Only with exactly the dimensions of these names.
    pub dimension_names: Option<BTreeSet<String>>,
    /// Only with points at this time or later, epoch seconds.
    pub since: i64,
}

impl MetricFilter {
    fn matches(&self, dimensions: &BTreeMap<String, String>) -> bool {
        self.dimensions.iter().all(|(name, wanted)| {
            let found = dimensions.get(name);
            found.is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value))
        })
    }
}

/// A stretch of time that is cut into periods. Seconds, all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    /// Where the first period begins.
    pub start: i64,
    /// Before this.
    pub end: i64,
    /// How long each is; at least 1.
    pub length: i64,
}

impl MetricStore {
    /// The metrics that match the filter and `wanted`, with their numbers: the
    /// first `limit` beyond the number `after`, in the order in which they were
    /// first seen.
    ///
    /// # Errors
    /// The database's failure.
    pub fn metrics(
        &self,
        filter: &MetricFilter,
        after: i64,
        limit: usize,
        wanted: impl Fn(&Metric) -> bool,
    ) -> Result<Vec<(i64, Metric)>, StoreError> {
        let valued = filter
            .dimensions
            .iter()
            .find_map(|(name, value)| Some((name.as_str(), value.as_deref()?)));
        let (dimension, value) = valued.unzip();
        let names = filter.dimension_names.as_ref();
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&statement(filter, valued.is_some()))?;
            let mut rows = query.query(params![
                after,
                filter.since,
                filter.namespace,
                filter.name,
                names.map(|names| names_key(names.iter())),
                dimension,
                value,
            ])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let (id, metric) = metric(row)?;
                if filter.matches(&metric.dimensions) && wanted(&metric) {
                    found.push((id, metric));
                }
                if found.len() == limit {
                    break;
                }
            }
            Ok(found)
        })
    }

    /// The metric's points, one for each period and unit that has any, in order of
    /// time.
    ///
    /// # Errors
    /// The database's failure.
    pub fn points(
        &self,
        metric: &Metric,
        periods: Periods,
        unit: Option<&str>,
        detail: Detail,
    ) -> Result<Vec<Point>, StoreError> {
        self.database.read(|connection| {
            let snapshot = connection.unchecked_transaction()?;
            let Some(id) = find(&snapshot, metric)? else {
                return Ok(Vec::new());
            };
            let mut points = summaries(&snapshot, id, periods, unit)?;
            if detail == Detail::Values {
                single_values::fill(&snapshot, id, periods, unit, &mut points)?;
            }
            Ok(points)
        })
    }
}

fn summaries(
    connection: &Connection,
    metric: i64,
    Periods { start, end, length }: Periods,
    unit: Option<&str>,
) -> Result<Vec<Point>, rusqlite::Error> {
    let mut query = connection.prepare_cached(
        "SELECT ?2 + (at - ?2) / ?4 * ?4 AS period, unit,
                sum(samples), sum(total), min(lowest), max(highest)
         FROM points WHERE metric = ?1 AND at >= ?2 AND at < ?3
           AND (?5 IS NULL OR unit = ?5)
         GROUP BY period, unit ORDER BY period, unit",
    )?;
    let rows = query.query_map(params![metric, start, end, length, unit], point)?;
    rows.collect()
}

/// The statement with the conditions that the filter has, so that those that it
/// has not do not keep an index from being used.
fn statement(filter: &MetricFilter, valued: bool) -> String {
    let conditions = [
        (filter.namespace.is_some(), "AND namespace = ?3"),
        (filter.name.is_some(), "AND name = ?4"),
        (filter.dimension_names.is_some(), "AND dimension_names = ?5"),
        (
            valued,
            "AND id IN (SELECT metric FROM dimensions WHERE name = ?6 AND value = ?7)",
        ),
    ];
    let conditions = conditions.iter().filter(|(wanted, _)| *wanted);
    let conditions: Vec<&str> = conditions.map(|(_, condition)| *condition).collect();
    // Parameters that no condition has must be named all the same.
    format!(
        "SELECT id, namespace, name, dimensions FROM metrics
         WHERE id > ?1 AND latest >= ?2 {} AND (1 OR ?3 OR ?4 OR ?5 OR ?6 OR ?7) ORDER BY id",
        conditions.join(" ")
    )
}

fn find(connection: &Connection, metric: &Metric) -> Result<Option<i64>, StoreError> {
    let mut query = connection.prepare_cached(
        "SELECT id FROM metrics WHERE namespace = ?1 AND name = ?2 AND dimensions = ?3",
    )?;
    let named = [&metric.namespace, &metric.name, &key(metric)];
    Ok(query.query_row(named, |row| row.get(0)).optional()?)
}

fn metric(row: &Row<'_>) -> Result<(i64, Metric), rusqlite::Error> {
    let dimensions: String = row.get(3)?;
    let read = serde_json::from_str(&dimensions).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, error.into())
    });
    let metric = Metric {
        namespace: row.get(1)?,
        name: row.get(2)?,
        dimensions: read?,
    };
    Ok((row.get(0)?, metric))
}

fn point(row: &Row<'_>) -> Result<Point, rusqlite::Error> {
    Ok(Point {
        at: row.get(0)?,
        unit: row.get(1)?,
        summary: summary(row, 2)?,
        values: None,
    })
}

/// The summary in four columns of a row, from this one on.
pub(super) fn summary(row: &Row<'_>, from: usize) -> Result<Summary, rusqlite::Error> {
    Ok(Summary {
        samples: row.get(from)?,
        total: row.get(from + 1)?,
        lowest: row.get(from + 2)?,
        highest: row.get(from + 3)?,
    })
}
