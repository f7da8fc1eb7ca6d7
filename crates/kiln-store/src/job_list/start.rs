//! Where to start looking: at the few jobs that meet one of the conditions, if there is a
//! condition that few meet.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::ListQuery;
use crate::StoreError;

/// Up to so many are few: they are read and sorted in a few milliseconds. What more jobs
/// meet is met often enough to come by it soon, whatever the order.
pub(super) const FEW: u32 = 1000;
/// Characters of the longest name.
const LONGEST_NAME: usize = 63;

/// Finds the rows that meet one condition.
struct Probe {
    sql: &'static str,
    values: Vec<Value>,
}

/// The rows of all jobs that meet one of the conditions, if these are few; in no order.
pub(super) fn few(
    connection: &Connection,
    kind: &str,
    query: &ListQuery,
) -> Result<Option<Vec<i64>>, StoreError> {
    for probe in probes(kind, query) {
        let mut statement = connection.prepare_cached(probe.sql)?;
        let values = probe.values.into_iter().chain([Value::from(FEW + 1)]);
        let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?;
        let rows: Vec<i64> = rows.collect::<Result<_, _>>()?;
        if rows.len() <= FEW as usize {
            return Ok(Some(rows));
        }
    }
    Ok(None)
}

/// Those that are likely to find the fewest come first.
fn probes(kind: &str, query: &ListQuery) -> Vec<Probe> {
    let of_kind = |values: &[Value]| {
        let mut all = vec![Value::from(kind.to_owned())];
        all.extend_from_slice(values);
        all
    };
    let text = |text: &str| Value::from(text.to_owned());
    let mut probes = Vec::new();
    if let Some(name) = &query.name {
        let sql = "SELECT id FROM jobs INDEXED BY jobs_by_name WHERE kind = ? AND name = ? LIMIT ?";
        probes.push(Probe {
            sql,
            values: of_kind(&[text(name)]),
        });
    }
    match query.name_contains.as_deref().and_then(parts) {
        Some(Parts::All(threes)) => probes.push(Probe {
            sql: "SELECT rowid FROM job_names WHERE job_names MATCH ? LIMIT ?",
            values: vec![Value::from(threes)],
        }),
        Some(Parts::Beginning(first, beyond)) => probes.push(Probe {
            sql: "SELECT DISTINCT doc FROM job_name_parts WHERE term >= ? AND term < ? LIMIT ?",
            values: vec![Value::from(first), Value::from(beyond)],
        }),
        None => {}
    }
    for (key, value) in &query.tags {
        let sql = "SELECT jobs.id FROM tags CROSS JOIN jobs ON jobs.arn = tags.arn \
                   WHERE key = ? AND value = ? LIMIT ?";
        probes.push(Probe {
            sql,
            values: vec![text(key), text(value)],
        });
    }
    if let Some(status) = &query.warm_pool {
        let sql = "SELECT jobs.id FROM warm_pools CROSS JOIN jobs \
                   ON jobs.kind = warm_pools.kind AND jobs.name = job \
                   WHERE warm_pools.status = ? LIMIT ?";
        probes.push(Probe {
            sql,
            values: vec![text(status)],
        });
    }
    if let Some(status) = &query.status {
        let sql =
            "SELECT id FROM jobs INDEXED BY jobs_by_status WHERE kind = ? AND status = ? LIMIT ?";
        probes.push(Probe {
            sql,
            values: of_kind(&[text(status)]),
        });
    }
    if let Some(range) = range(query.created_after, query.created_before) {
        let sql = "SELECT id FROM jobs INDEXED BY jobs_by_creation \
                   WHERE kind = ? AND created >= ? AND created <= ? LIMIT ?";
        probes.push(Probe {
            sql,
            values: of_kind(&range),
        });
    }
    if let Some(range) = range(query.modified_after, query.modified_before) {
        let sql = "SELECT id FROM jobs INDEXED BY jobs_by_modification \
                   WHERE kind = ? AND modified >= ? AND modified <= ? LIMIT ?";
        probes.push(Probe {
            sql,
            values: of_kind(&range),
        });
    }
    probes
}

fn range(after: Option<i64>, before: Option<i64>) -> Option<[Value; 2]> {
    let bounds = [after.unwrap_or(i64::MIN), before.unwrap_or(i64::MAX)];
    (after.is_some() || before.is_some()).then(|| bounds.map(Value::from))
}

/// Which characters in a row the names have that contain a text, three at a time.
#[derive(Debug, PartialEq, Eq)]
enum Parts {
    /// All of these, as a full-text query. A few other names may have them too.
    All(String),
    /// One that is not before the first of these and before the second.
    Beginning(String, String),
}

/// The parts of names that contain a text. `None` for a text with characters that are in no
/// name, or without any.
fn parts(text: &str) -> Option<Parts> {
    let bytes = text.as_bytes();
    let nameable = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    if !bytes.iter().all(nameable) {
        return None;
    }
    if let [before @ .., last] = bytes
        && bytes.len() < 3
    {
        // The index has small letters only.
        let text = |last: u8| {
            let text = [before, &[last]].concat().to_ascii_lowercase();
            String::from_utf8_lossy(&text).into_owned()
        };
        return Some(Parts::Beginning(
            text(*last),
            text(last.to_ascii_lowercase() + 1),
        ));
    }
    let quoted = bytes.windows(3).take(LONGEST_NAME);
    let quoted: Vec<String> = quoted
        .map(|three| format!("\"{}\"", String::from_utf8_lossy(three)))
        .collect();
    (!quoted.is_empty()).then(|| Parts::All(quoted.join(" AND ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_looked_for_by_its_threes_and_a_short_one_by_their_beginnings() {
        let all = |query: &str| Some(Parts::All(query.to_owned()));
        let beginning =
            |first: &str, beyond: &str| Some(Parts::Beginning(first.to_owned(), beyond.to_owned()));
        for (text, parts_of) in [
            ("", None),
            ("a", beginning("a", "b")),
            ("-", beginning("-", ".")),
            ("aB", beginning("ab", "ac")),
            ("Zz", beginning("zz", "z{")),
            ("abc", all(r#""abc""#)),
            ("ab-d", all(r#""ab-" AND "b-d""#)),
            ("a ", None),
            ("a\"b", None),
            ("ab\0", None),
        ] {
            assert_eq!(parts(text), parts_of, "{text}");
        }
    }
}
