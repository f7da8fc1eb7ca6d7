//! Pages of jobs: narrowed, in order, from one place to the next.

use rusqlite::Connection;

use crate::StoreError;
use crate::jobs::JobIndex;

/// The usual order has an index that answers the other conditions too: a row is
/// a page or more, and those that a search passes over are not read. To find the
/// few that failed among very many takes an index of its own.
pub(crate) const INDEXES: &str = "
DROP INDEX jobs_by_creation;
CREATE INDEX jobs_by_creation ON jobs (kind, created, id, status, modified, name);
CREATE INDEX jobs_by_status_and_creation ON jobs (kind, status, created, id);
";

/// How a list is narrowed, ordered and paged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only names that contain this, in any case.
    pub name_contains: Option<String>,
    /// Only this main status.
    pub status: Option<String>,
    /// Only jobs with a warm pool in this status.
    pub warm_pool: Option<String>,
    /// Created at or after, epoch milliseconds.
    pub created_after: Option<i64>,
    /// Created at or before.
    pub created_before: Option<i64>,
    /// Changed at or after.
    pub modified_after: Option<i64>,
    /// Changed at or before.
    pub modified_before: Option<i64>,
    /// The order.
    pub sort: SortKey,
    /// Whether the order is reversed.
    pub descending: bool,
    /// Continue after this place.
    pub after: Option<Place>,
    /// How many jobs at most.
    pub limit: u32,
}

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortKey {
    /// Creation time, then age.
    #[default]
    Created,
    /// Name, then age.
    Name,
    /// Status, then age.
    Status,
}

impl SortKey {
    fn column(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Name => "name",
            Self::Status => "status",
        }
    }
}

/// A place in an ordered list: the sort column's value and the row behind it.
/// It stays valid whatever is inserted around it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The sort column's value; a number for times, else text.
    pub value: serde_json::Value,
    /// The row, which breaks ties.
    pub row: i64,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSummary {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The indexed columns.
    pub index: JobIndex,
    /// What there is to say of its warm pool, as JSON.
    pub warm_pool: Option<String>,
    /// Where a following page starts.
    pub place: Place,
}

/// One page of the jobs of a kind.
pub(crate) fn list(
    connection: &Connection,
    kind: &str,
    query: &ListQuery,
) -> Result<Vec<JobSummary>, StoreError> {
    let (sql, values) = list_sql(kind, query);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
        summary(row, query.sort)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What `summary` reads, in its order.
const SUMMARY: &str = "id, name, arn, status, secondary, created, modified, ended, \
    (SELECT document FROM warm_pools WHERE warm_pools.kind = jobs.kind AND job = name)";

fn summary(row: &rusqlite::Row<'_>, sort: SortKey) -> Result<JobSummary, rusqlite::Error> {
    let name: String = row.get(1)?;
    let index = JobIndex {
        status: row.get(3)?,
        secondary: row.get(4)?,
        created: row.get(5)?,
        modified: row.get(6)?,
        ended: row.get(7)?,
    };
    let value = match sort {
        SortKey::Created => index.created.into(),
        SortKey::Name => name.as_str().into(),
        SortKey::Status => index.status.as_str().into(),
    };
    let row_number = row.get(0)?;
    Ok(JobSummary {
        name,
        arn: row.get(2)?,
        index,
        warm_pool: row.get(8)?,
        place: Place {
            value,
            row: row_number,
        },
    })
}

/// Builds the statement of a list: only the conditions that are asked for, so
/// that SQLite walks the index of the sort key and stops at the limit.
fn list_sql(kind: &str, query: &ListQuery) -> (String, Vec<rusqlite::types::Value>) {
    use rusqlite::types::Value;
    let mut sql = format!("SELECT {SUMMARY} FROM jobs WHERE kind = ?");
    let mut values = vec![Value::from(kind.to_owned())];
    let mut condition = |text: &str, value: Option<Value>| {
        if let Some(value) = value {
            sql.push_str(" AND ");
            sql.push_str(text);
            values.push(value);
        }
    };
    let time = |time: Option<i64>| time.map(Value::from);
    let contained = query.name_contains.as_ref().map(|text| text.to_lowercase());
    condition("instr(lower(name), ?) > 0", contained.map(Value::from));
    condition("status = ?", query.status.clone().map(Value::from));
    condition(
        "(kind, name) IN (SELECT kind, job FROM warm_pools WHERE status = ?)",
        query.warm_pool.clone().map(Value::from),
    );
    condition("created >= ?", time(query.created_after));
    condition("created <= ?", time(query.created_before));
    condition("modified >= ?", time(query.modified_after));
    condition("modified <= ?", time(query.modified_before));
    let (column, order, beyond) = match query.descending {
        true => (query.sort.column(), "DESC", '<'),
        false => (query.sort.column(), "ASC", '>'),
    };
    if let Some(place) = &query.after {
        sql.push_str(&format!(" AND ({column}, id) {beyond} (?, ?)"));
        values.push(match &place.value {
            serde_json::Value::Number(number) => Value::from(number.as_i64().unwrap_or_default()),
            other => Value::from(other.as_str().unwrap_or_default().to_owned()),
        });
        values.push(Value::from(place.row));
    }
    sql.push_str(&format!(" ORDER BY {column} {order}, id {order} LIMIT ?"));
    values.push(Value::from(query.limit));
    (sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;
    use rusqlite::StatementStatus;

    fn database(directory: &std::path::Path) -> Database {
        let schema = [crate::jobs::SCHEMA, crate::warm_pools::SCHEMA, INDEXES];
        Database::open(&directory.join("t.db"), &schema).unwrap()
    }

    /// How SQLite goes about a list.
    fn plan(connection: &Connection, query: &ListQuery) -> Result<String, StoreError> {
        let (sql, values) = list_sql("training-job", query);
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let steps = explain.query_map(rusqlite::params_from_iter(values), |row| row.get(3))?;
        Ok(steps.collect::<Result<Vec<String>, _>>()?.join("; "))
    }

    #[test]
    fn every_list_walks_an_index_and_sorts_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let database = database(directory.path());
        let by = |sort, status: Option<&str>| ListQuery {
            sort,
            status: status.map(str::to_owned),
            limit: 10,
            ..ListQuery::default()
        };
        let searched = ListQuery {
            name_contains: Some("a".to_owned()),
            modified_after: Some(1),
            ..by(SortKey::Created, None)
        };
        for (query, index) in [
            (by(SortKey::Created, None), "jobs_by_creation (kind=?)"),
            (searched, "jobs_by_creation (kind=?)"),
            (
                by(SortKey::Created, Some("Failed")),
                "jobs_by_status_and_creation (kind=? AND status=?)",
            ),
            (by(SortKey::Status, None), "jobs_by_status"),
            (by(SortKey::Name, None), "sqlite_autoindex_jobs_2 (kind=?)"),
        ] {
            let plan = database.read(|connection| plan(connection, &query));
            let plan = plan.unwrap();
            assert!(plan.contains(index), "{query:?}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{query:?}: {plan}");
        }
    }

    fn times_planned_again(connection: &Connection, query: &ListQuery) -> Result<i32, StoreError> {
        let (sql, _) = list_sql("training-job", query);
        for _ in 0..3 {
            list(connection, "training-job", query)?;
        }
        let statement = connection.prepare_cached(&sql)?;
        Ok(statement.get_status(StatementStatus::RePrepare))
    }

    #[test]
    fn a_list_that_is_asked_for_again_is_not_planned_again() {
        let directory = tempfile::tempdir().unwrap();
        let database = database(directory.path());
        let plain = ListQuery {
            limit: 10,
            ..ListQuery::default()
        };
        let failed = ListQuery {
            status: Some("Failed".to_owned()),
            descending: true,
            ..plain.clone()
        };
        for query in [plain, failed] {
            let times = database.read(|connection| times_planned_again(connection, &query));
            assert_eq!(times.unwrap(), 0, "{query:?}");
        }
    }
}
