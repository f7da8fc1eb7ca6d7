//! How points come in: from clients once, from agents exactly once.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};

use super::single_values::{self, Gathered};
use super::{Delivery, Metric, MetricStore, NewPoint, Summary, ageing, trials};
use crate::{StoreError, deliveries};

/// The points of one metric, by time and unit.
type Points = BTreeMap<(i64, String), Gathered>;

impl MetricStore {
    /// Adds points to those that are there; `now` is in epoch seconds.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn add(&self, points: Vec<NewPoint>, now: i64) -> Result<(), StoreError> {
        self.database
            .write(move |tx| {
                add(tx, points)?;
                Ok(ageing::age(tx, now)?)
            })
            .await
    }

    /// Adds what an instance reported up to number `last`, but for what an earlier
    /// delivery brought; `now` is in epoch seconds.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn deliver(
        &self,
        instance: &str,
        last: u64,
        delivery: Delivery,
        now: i64,
    ) -> Result<(), StoreError> {
        if delivery.points.is_empty() {
            return Ok(());
        }
        let instance = instance.to_owned();
        self.database
            .write(move |tx| {
                let before = deliveries::reached(tx, &instance)?;
                add(tx, fresh(delivery.points, before))?;
                trials::append(tx, &delivery.component, fresh(delivery.trial, before))?;
                deliveries::reach(tx, &instance, last)?;
                Ok(ageing::age(tx, now)?)
            })
            .await
    }

    /// Forgets how far an instance's deliveries came; its points stay.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn forget_instance(&self, instance: &str) -> Result<(), StoreError> {
        // Most instances reported no metric, and need no write.
        let known = self.database.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT 1 FROM deliveries WHERE instance = ?1")?;
            Ok::<_, StoreError>(query.exists([instance])?)
        })?;
        if !known {
            return Ok(());
        }
        let instance = instance.to_owned();
        self.database
            .write(move |tx| Ok(deliveries::forget(tx, &instance)?))
            .await
    }
}

fn fresh<T>(numbered: Vec<(u64, T)>, before: u64) -> impl Iterator<Item = T> {
    let fresh = numbered.into_iter().filter(move |(n, _)| *n > before);
    fresh.map(|(_, report)| report)
}

/// Points that fall together are added up before the database sees them.
fn add(
    tx: &Transaction<'_>,
    points: impl IntoIterator<Item = NewPoint>,
) -> Result<(), rusqlite::Error> {
    let mut metrics: BTreeMap<Metric, Points> = BTreeMap::new();
    for point in points {
        let of_metric = metrics.entry(point.metric).or_default();
        of_metric
            .entry((point.at, point.unit))
            .and_modify(|gathered| gathered.add(point.summary))
            .or_insert_with(|| Gathered::of(point.summary));
    }
    for (metric, points) in metrics {
        let latest = points.keys().map(|(at, _)| *at).max().unwrap_or(0);
        add_points(tx, id(tx, &metric, latest)?, &points)?;
    }
    Ok(())
}

fn add_points(tx: &Transaction<'_>, metric: i64, points: &Points) -> Result<(), rusqlite::Error> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO points VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (metric, at, unit) DO UPDATE SET
           samples = samples + excluded.samples, total = total + excluded.total,
           lowest = min(lowest, excluded.lowest), highest = max(highest, excluded.highest)",
    )?;
    for ((at, unit), gathered) in points {
        single_values::add(tx, (metric, *at, unit), gathered)?;
        let Summary {
            samples,
            total,
            lowest,
            highest,
        } = gathered.summary;
        insert.execute(params![metric, at, unit, samples, total, lowest, highest])?;
    }
    Ok(())
}

/// The metric's number. One that is new is written down.
fn id(tx: &Transaction<'_>, metric: &Metric, latest: i64) -> Result<i64, rusqlite::Error> {
    let dimensions = key(metric);
    let found: Option<i64> = tx
        .prepare_cached(
            "SELECT id FROM metrics WHERE namespace = ?1 AND name = ?2 AND dimensions = ?3",
        )?
        .query_row([&metric.namespace, &metric.name, &dimensions], |row| {
            row.get(0)
        })
        .optional()?;
    if let Some(id) = found {
        tx.prepare_cached("UPDATE metrics SET latest = ?2 WHERE id = ?1 AND latest < ?2")?
            .execute([id, latest])?;
        return Ok(id);
    }
    tx.prepare_cached(
        "INSERT INTO metrics (namespace, name, dimensions, dimension_names, latest)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        metric.namespace,
        metric.name,
        dimensions,
        names_key(metric.dimensions.keys()),
        latest
    ])?;
    let id = tx.last_insert_rowid();
    let mut insert = tx.prepare_cached("INSERT INTO dimensions VALUES (?1, ?2, ?3)")?;
    for (name, value) in &metric.dimensions {
        insert.execute(params![name, value, id])?;
    }
    Ok(id)
}

/// The dimensions as one text, the same for the same dimensions.
pub(super) fn key(metric: &Metric) -> String {
    serde_json::json!(metric.dimensions).to_string()
}

/// The sorted names of dimensions as one text.
pub(super) fn names_key<'a>(names: impl Iterator<Item = &'a String>) -> String {
    serde_json::json!(names.collect::<Vec<_>>()).to_string()
}
