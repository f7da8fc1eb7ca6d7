//! The metrics of trial components: every value with its step, since those who
//! ask for them ask by step as often as by time.

use rusqlite::{Transaction, params};

use super::MetricStore;
use crate::StoreError;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialValue {
    /// The metric's name.
    pub metric: String,
    /// When it was seen, epoch milliseconds.
    pub at: i64,
    /// The step or epoch that it is from, if that was said.
    pub step: Option<i64>,
    /// The value.
    pub value: f64,
}

/// What values are arranged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialAxis {
    /// By their steps; those without one are left out.
    Step,
    /// By time, epoch milliseconds.
    Time,
}

impl MetricStore {
    /// Adds values to those of a trial component.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn add_trial_values(
        &self,
        component: &str,
        values: Vec<TrialValue>,
    ) -> Result<(), StoreError> {
        let component = component.to_owned();
        self.database
            .write(move |tx| Ok(append(tx, &component, values)?))
            .await
    }

    /// Shows the values of a trial component's metric whose place on the axis is in
    /// the range, both ends included, with that place: in the order of the axis,
    /// then in that of their times.
    ///
    /// # Errors
    /// The database's failure.
    pub fn trial_values(
        &self,
        (component, metric): (&str, &str),
        axis: TrialAxis,
        (from, to): (i64, i64),
        mut show: impl FnMut(i64, f64),
    ) -> Result<(), StoreError> {
        let axis = match axis {
            TrialAxis::Step => "step",
            TrialAxis::Time => "at",
        };
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {axis}, value FROM trials WHERE component = ?1 AND metric = ?2
                   AND {axis} >= ?3 AND {axis} <= ?4 ORDER BY {axis}, at, id"
            ))?;
            let mut rows = query.query(params![component, metric, from, to])?;
            while let Some(row) = rows.next()? {
                show(row.get(0)?, row.get(1)?);
            }
            Ok(())
        })
    }
}

pub(super) fn append(
    tx: &Transaction<'_>,
    component: &str,
    values: impl IntoIterator<Item = TrialValue>,
) -> Result<(), rusqlite::Error> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO trials (component, metric, at, step, value) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for value in values {
        let TrialValue {
            metric,
            at,
            step,
            value,
        } = value;
        insert.execute(params![component, metric, at, step, value])?;
    }
    Ok(())
}
