//! How points become coarser with age, and go, by the times that CloudWatch
//! keeps to: seconds for three hours, minutes for 15 days, five minutes for 63
//! days, hours for 455 days.
//!
//! It happens beside what is written, once an hour, and takes up what has become
//! old since the last time, so no run of it is long. What comes in late, being old
//! already, keeps its resolution.

use rusqlite::{OptionalExtension, Transaction, params};

use super::single_values;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// After how long points become as coarse as this. Seconds, both.
const TIERS: [(i64, i64); 3] = [(3 * HOUR, 60), (15 * DAY, 300), (63 * DAY, HOUR)];
/// How long anything is kept.
const KEPT: i64 = 455 * DAY;
/// The pause between two runs.
const PAUSE: i64 = HOUR;

/// Ages what has become old since the last time, unless that was just now.
pub(super) fn age(tx: &Transaction<'_>, now: i64) -> Result<(), rusqlite::Error> {
    let (patience, resolution) = TIERS[0];
    if now - patience - until(tx, resolution)? < PAUSE {
        return Ok(());
    }
    for (patience, resolution) in TIERS {
        let from = until(tx, resolution)?;
        let to = now - patience - (now - patience).rem_euclid(resolution);
        if to > from {
            coarsen(tx, resolution, from, to)?;
        }
    }
    remove(tx, now - KEPT)
}

/// Up to when points have been made as coarse as this.
fn until(tx: &Transaction<'_>, resolution: i64) -> Result<i64, rusqlite::Error> {
    let found = tx
        .prepare_cached("SELECT until FROM ageing WHERE resolution = ?1")?
        .query_row([resolution], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

fn coarsen(
    tx: &Transaction<'_>,
    resolution: i64,
    from: i64,
    to: i64,
) -> Result<(), rusqlite::Error> {
    single_values::coarsen(tx, resolution, from, to)?;
    let window = params![resolution, from, to];
    tx.prepare_cached(
        "INSERT INTO points
         SELECT metric, at - at % ?1, unit, sum(samples), sum(total), min(lowest), max(highest)
         FROM points WHERE at >= ?2 AND at < ?3 AND at % ?1 <> 0
         GROUP BY metric, at - at % ?1, unit
         ON CONFLICT (metric, at, unit) DO UPDATE SET
           samples = samples + excluded.samples, total = total + excluded.total,
           lowest = min(lowest, excluded.lowest), highest = max(highest, excluded.highest)",
    )?
    .execute(window)?;
    tx.prepare_cached("DELETE FROM points WHERE at >= ?2 AND at < ?3 AND at % ?1 <> 0")?
        .execute(window)?;
    single_values::thin_out(tx, from, to)?;
    tx.prepare_cached(
        "INSERT INTO ageing VALUES (?1, ?2)
         ON CONFLICT (resolution) DO UPDATE SET until = excluded.until",
    )?
    .execute([resolution, to])?;
    Ok(())
}

/// Removes points of before a time, and metrics that have none left.
fn remove(tx: &Transaction<'_>, before: i64) -> Result<(), rusqlite::Error> {
    single_values::remove(tx, before)?;
    tx.prepare_cached("DELETE FROM points WHERE at < ?1")?
        .execute([before])?;
    tx.prepare_cached("DELETE FROM trials WHERE at < ?1")?
        .execute([before.saturating_mul(1000)])?;
    tx.prepare_cached(
        "DELETE FROM dimensions WHERE metric IN (SELECT id FROM metrics WHERE latest < ?1)",
    )?
    .execute([before])?;
    tx.prepare_cached("DELETE FROM metrics WHERE latest < ?1")?
        .execute([before])?;
    Ok(())
}
