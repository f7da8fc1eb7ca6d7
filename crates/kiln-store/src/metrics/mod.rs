//! Metrics: numbers in time, as CloudWatch keeps them.
//!
//! Of a metric is kept, for each second or minute in which it had values, how
//! many there were, their sum and their bounds. So a job that says its loss a
//! thousand times a second takes little more room than one that says it once. The
//! single values are kept besides while they are few; see [`single_values`]. The
//! older points are, the coarser they become; see [`ageing`].
//!
//! The number of the last report that was taken in is kept per instance in the
//! same transaction as the points, so a delivery that is repeated adds nothing.

mod ageing;
mod reading;
mod single_values;
mod trials;
mod writing;

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Database, StoreError};

pub use reading::{MetricFilter, Periods};
pub use trials::{TrialAxis, TrialValue};

/// Append-only; see [`Database::open`].
const MIGRATIONS: &[&str] = &[SCHEMA, single_values::SCHEMA];

const SCHEMA: &str = "
CREATE TABLE metrics (
  id INTEGER PRIMARY KEY,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  dimensions TEXT NOT NULL,
  dimension_names TEXT NOT NULL,
  latest INTEGER NOT NULL,
  UNIQUE (namespace, name, dimensions)
);
CREATE INDEX metrics_by_dimension_names ON metrics (namespace, dimension_names, latest);
CREATE TABLE dimensions (
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  metric INTEGER NOT NULL,
  PRIMARY KEY (name, value, metric)
) WITHOUT ROWID;
CREATE TABLE points (
  metric INTEGER NOT NULL,
  at INTEGER NOT NULL,
  unit TEXT NOT NULL,
  samples REAL NOT NULL,
  total REAL NOT NULL,
  lowest REAL NOT NULL,
  highest REAL NOT NULL,
  PRIMARY KEY (metric, at, unit)
) WITHOUT ROWID;
CREATE INDEX points_by_time ON points (at);
CREATE TABLE ageing (
  resolution INTEGER PRIMARY KEY,
  until INTEGER NOT NULL
);
CREATE TABLE trials (
  id INTEGER PRIMARY KEY,
  component TEXT NOT NULL,
  metric TEXT NOT NULL,
  at INTEGER NOT NULL,
  step INTEGER,
  value REAL NOT NULL
);
CREATE INDEX trials_by_time ON trials (component, metric, at);
CREATE INDEX trials_by_age ON trials (at);
CREATE TABLE deliveries (
  instance TEXT PRIMARY KEY,
  number INTEGER NOT NULL
) WITHOUT ROWID;
";

/// What a number is a measure of. Two are the same when their dimensions are,
/// in whatever order those were given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The dimensions, by name.
    pub dimensions: BTreeMap<String, String>,
}

/// What is kept of a set of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many there were. (A client that samples may say half a value.)
    pub samples: f64,
    /// Their sum.
    pub total: f64,
    /// The smallest.
    pub lowest: f64,
    /// The greatest.
    pub highest: f64,
}

impl Summary {
    /// Of one value.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self::of_many(value, 1.0)
    }

    /// Of a value that was seen as many times.
    #[must_use]
    pub fn of_many(value: f64, times: f64) -> Self {
        Self {
            samples: times,
            total: value * times,
            lowest: value,
            highest: value,
        }
    }

    /// Of the values of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            samples: self.samples + other.samples,
            total: self.total + other.total,
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
        }
    }
}

/// Values of a metric on their way in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPoint {
    /// The metric.
    pub metric: Metric,
    /// When they were seen, epoch seconds.
    pub at: i64,
    /// Their unit, in CloudWatch's words.
    pub unit: String,
    /// The values.
    pub summary: Summary,
}

/// A value, and how often it was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The value.
    pub value: f64,
    /// How often.
    pub times: f64,
}

/// Values of a metric as they are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The start of the time that they are from, epoch seconds.
    pub at: i64,
    /// Their unit.
    pub unit: String,
    /// The values.
    pub summary: Summary,
    /// Each different one of them in order, if they were asked for and all are kept.
    pub values: Option<Vec<Seen>>,
}

impl Point {
    /// Takes in what was measured at the same time in another unit.
    pub fn add(&mut self, other: Self) {
        self.summary = self.summary.and(other.summary);
        let both = self.values.take().zip(other.values);
        self.values = both.map(|(one, other)| single_values::different([one, other].concat()));
    }
}

/// What is asked of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Their summaries.
    Summaries,
    /// Their single values too.
    Values,
}

/// What an instance reported of metrics, each with the number of its report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delivery {
    /// Values of metrics.
    pub points: Vec<(u64, NewPoint)>,
    /// The same, for those who follow the job as a trial component.
    pub trial: Vec<(u64, TrialValue)>,
    /// The trial component.
    pub component: String,
}

/// The metrics in one SQLite file.
#[derive(Debug, Clone)]
pub struct MetricStore {
    database: Database,
}

impl MetricStore {
    /// Opens or creates the metrics' file.
    ///
    /// # Errors
    /// See [`Database::open`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(path, MIGRATIONS)?,
        })
    }
}

#[cfg(test)]
mod tests;
