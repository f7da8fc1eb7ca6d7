//! How far the numbered reports of each instance have come into a database, so
//! that what is delivered again is taken once.
//!
//! Each database that takes reports has a table `deliveries` of its own, since
//! a number holds for what was committed with it.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// The number of the last report that was taken; 0 before the first.
pub(crate) fn reached(connection: &Connection, instance: &str) -> Result<u64, rusqlite::Error> {
    let number: Option<i64> = connection
        .prepare_cached("SELECT number FROM deliveries WHERE instance = ?1")?
        .query_row([instance], |row| row.get(0))
        .optional()?;
    Ok(number.unwrap_or(0).unsigned_abs())
}

/// Writes down that all reports up to this number were taken.
pub(crate) fn reach(
    tx: &Transaction<'_>,
    instance: &str,
    last: u64,
) -> Result<(), rusqlite::Error> {
    tx.prepare_cached(
        "INSERT INTO deliveries VALUES (?1, ?2)
         ON CONFLICT (instance) DO UPDATE SET number = max(number, excluded.number)",
    )?
    .execute(params![instance, last as i64])?;
    Ok(())
}

/// Forgets an instance, which reports no more; what it reported stays.
pub(crate) fn forget(tx: &Transaction<'_>, instance: &str) -> Result<(), rusqlite::Error> {
    tx.prepare_cached("DELETE FROM deliveries WHERE instance = ?1")?
        .execute([instance])?;
    Ok(())
}
