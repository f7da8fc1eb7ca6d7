//! The single values of points, for statistics that need every one of them.
//!
//! A point whose bounds are the same says all there is to say of its values. Of one with
//! several, each different value has a row, and how often it was seen, as long as there are
//! not too many. Whether all are there shows where they are counted: they are as many as
//! the points' samples. What came as a summary never has them all.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Periods, Point, Seen, Summary};

pub(super) const SCHEMA: &str = "
CREATE TABLE single_values (
  metric INTEGER NOT NULL,
  at INTEGER NOT NULL,
  unit TEXT NOT NULL,
  value REAL NOT NULL,
  times REAL NOT NULL,
  PRIMARY KEY (metric, at, unit, value)
) WITHOUT ROWID;
";

/// So many different values of a point are kept, and so many of one that has become coarser:
/// enough for what is said once a second, and nobody's disk is filled by a busy job.
const MOST: i64 = 500;
const MOST_AGED: i64 = 100;

/// Which point: its metric, time and unit.
pub(super) type Key<'a> = (i64, i64, &'a str);

impl Summary {
    /// The only value that there was, if there was only one.
    fn only(&self) -> Option<Seen> {
        (self.lowest == self.highest).then_some(Seen {
            value: self.lowest,
            times: self.samples,
        })
    }
}

/// What comes to a point at a time.
#[derive(Debug, Clone)]
pub(super) struct Gathered {
    /// All of it.
    pub(super) summary: Summary,
    /// The parts of it that are a single value each; each value once.
    values: Vec<Seen>,
}

impl Gathered {
    /// Nothing but this.
    pub(super) fn of(summary: Summary) -> Self {
        Self {
            summary,
            values: Vec::from_iter(summary.only()),
        }
    }

    /// This comes too.
    pub(super) fn add(&mut self, summary: Summary) {
        self.summary = self.summary.and(summary);
        self.values.extend(summary.only());
    }

    /// Each of the different values that are known, unless they are too many.
    fn different(&self) -> Vec<Seen> {
        let values = different(self.values.clone());
        match i64::try_from(values.len()) {
            Ok(0..=MOST) => values,
            _ => Vec::new(),
        }
    }
}

/// Values in order, each once.
pub(super) fn different(mut values: Vec<Seen>) -> Vec<Seen> {
    values.sort_unstable_by(|one, other| one.value.total_cmp(&other.value));
    values.dedup_by(|next, kept| {
        let same = next.value == kept.value;
        if same {
            kept.times += next.times;
        }
        same
    });
    values
}

/// Takes down the single values that come to a point, before the point itself is written.
pub(super) fn add(
    tx: &Transaction<'_>,
    key: Key<'_>,
    gathered: &Gathered,
) -> Result<(), rusqlite::Error> {
    let (metric, at, unit) = key;
    let before: Option<Summary> = tx
        .prepare_cached(
            "SELECT samples, total, lowest, highest FROM points
             WHERE metric = ?1 AND at = ?2 AND unit = ?3",
        )?
        .query_row(params![metric, at, unit], |row| {
            super::reading::summary(row, 0)
        })
        .optional()?;
    let after = before.map_or(gathered.summary, |before| before.and(gathered.summary));
    // The point itself says it.
    if after.only().is_some() {
        return Ok(());
    }
    let mut insert = tx.prepare_cached(
        "INSERT INTO single_values VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (metric, at, unit, value) DO UPDATE SET times = times + excluded.times",
    )?;
    let said_so_far = before.and_then(|before| before.only());
    for Seen { value, times } in said_so_far.into_iter().chain(gathered.different()) {
        insert.execute(params![metric, at, unit, value, times])?;
    }
    tx.prepare_cached(
        "DELETE FROM single_values WHERE metric = ?1 AND at = ?2 AND unit = ?3 AND ?4 <
           (SELECT count(*) FROM single_values WHERE metric = ?1 AND at = ?2 AND unit = ?3)",
    )?
    .execute(params![metric, at, unit, MOST])?;
    Ok(())
}

/// Brings the single values of points together whose times are the same at a resolution,
/// before the points themselves are. Seconds, all.
pub(super) fn coarsen(
    tx: &Transaction<'_>,
    resolution: i64,
    from: i64,
    to: i64,
) -> Result<(), rusqlite::Error> {
    let window = params![resolution, from, to];
    tx.prepare_cached(
        "INSERT INTO single_values
         SELECT metric, at - at % ?1, unit, lowest, sum(samples) FROM points
         WHERE at >= ?2 AND at < ?3 AND lowest = highest GROUP BY 1, 2, 3, 4
         ON CONFLICT (metric, at, unit, value) DO UPDATE SET times = times + excluded.times",
    )?
    .execute(window)?;
    tx.prepare_cached(
        "INSERT INTO single_values
         SELECT metric, at - at % ?1, unit, value, sum(times)
         FROM points JOIN single_values USING (metric, at, unit)
         WHERE at >= ?2 AND at < ?3 AND at % ?1 <> 0 GROUP BY 1, 2, 3, 4
         ON CONFLICT (metric, at, unit, value) DO UPDATE SET times = times + excluded.times",
    )?
    .execute(window)?;
    tx.prepare_cached(
        "DELETE FROM single_values WHERE (metric, at, unit) IN
           (SELECT metric, at, unit FROM points WHERE at >= ?2 AND at < ?3 AND at % ?1 <> 0)",
    )?
    .execute(window)?;
    Ok(())
}

/// Leaves, of the points that have become coarser, the values that these do not say and that
/// are few enough.
pub(super) fn thin_out(tx: &Transaction<'_>, from: i64, to: i64) -> Result<(), rusqlite::Error> {
    tx.prepare_cached(
        "DELETE FROM single_values WHERE (metric, at, unit) IN
           (SELECT metric, at, unit FROM points AS p WHERE at >= ?1 AND at < ?2 AND (
              lowest = highest OR ?3 < (SELECT count(*) FROM single_values AS v
                WHERE v.metric = p.metric AND v.at = p.at AND v.unit = p.unit)))",
    )?
    .execute(params![from, to, MOST_AGED])?;
    Ok(())
}

/// Gives points of a metric their single values, where all are kept. The points are in order
/// of their times and units.
pub(super) fn fill(
    connection: &Connection,
    metric: i64,
    Periods { start, end, length }: Periods,
    unit: Option<&str>,
    points: &mut [Point],
) -> Result<(), rusqlite::Error> {
    let mut query = connection.prepare_cached(
        "SELECT ?2 + (at - ?2) / ?4 * ?4 AS period, unit, value, sum(times) FROM (
           SELECT at, unit, lowest AS value, samples AS times FROM points
           WHERE metric = ?1 AND at >= ?2 AND at < ?3 AND lowest = highest
           UNION ALL SELECT at, unit, value, times FROM single_values
           WHERE metric = ?1 AND at >= ?2 AND at < ?3)
         WHERE ?5 IS NULL OR unit = ?5
         GROUP BY period, unit, value ORDER BY period, unit, value",
    )?;
    let mut rows = query.query(params![metric, start, end, length, unit])?;
    let mut row = rows.next()?;
    for point in points {
        let mut values = Vec::new();
        while let Some(found) = row
            && found.get::<_, i64>(0)? == point.at
            && found.get_ref(1)?.as_str()? == point.unit
        {
            values.push(Seen {
                value: found.get(2)?,
                times: found.get(3)?,
            });
            row = rows.next()?;
        }
        let seen: f64 = values.iter().map(|one| one.times).sum();
        let lost = (point.summary.samples - seen).abs();
        // Halves of values may have been rounded.
        point.values = (lost <= point.summary.samples * 1e-9).then_some(values);
    }
    Ok(())
}

/// Removes those of points of before a time, before the points themselves go.
pub(super) fn remove(tx: &Transaction<'_>, before: i64) -> Result<(), rusqlite::Error> {
    tx.prepare_cached(
        "DELETE FROM single_values WHERE (metric, at, unit) IN
           (SELECT metric, at, unit FROM points WHERE at < ?1)",
    )?
    .execute([before])?;
    Ok(())
}
