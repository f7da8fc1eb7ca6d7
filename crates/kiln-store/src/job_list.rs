//! Pages of jobs: narrowed, in order, from one place to the next.
//!
//! A page is found in one of two ways. Where one of the conditions is met by few jobs, those
//! are looked at and sorted. Where none is, many jobs meet each of them, so the index of the
//! order is walked until the page is full. Every index of an order has all columns that
//! conditions ask about, so that jobs which are passed over are not read.

mod start;
mod statement;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::jobs::JobIndex;
use crate::{StoreError, Tag};

pub(crate) use self::statement::containing;
use self::statement::{Part, page_statement};

/// The usual order has an index that answers the other conditions too: a row is
/// a page or more, and those that a search passes over are not read. To find the
/// few that failed among very many takes an index of its own.
pub(crate) const INDEXES: &str = "
DROP INDEX jobs_by_creation;
CREATE INDEX jobs_by_creation ON jobs (kind, created, id, status, modified, name);
CREATE INDEX jobs_by_status_and_creation ON jobs (kind, status, created, id);
";

/// The same for all orders, and tags by their value. The order that searches have if they do
/// not say has the ARN too, by which tags are found.
pub(crate) const ORDERS: &str = "
DROP INDEX jobs_by_status;
CREATE INDEX jobs_by_status ON jobs (kind, status, id, created, modified, name);
DROP INDEX jobs_by_status_and_creation;
CREATE INDEX jobs_by_status_and_creation ON jobs (kind, status, created, id, modified, name);
CREATE INDEX jobs_by_name ON jobs (kind, name, id, status, created, modified);
CREATE INDEX jobs_by_modification ON jobs (kind, modified, id, status, created, name, arn);
CREATE INDEX tags_by_value ON tags (key, value, arn);
";

/// The names by every three characters in a row, which finds a part of a name without
/// looking at all of them.
pub(crate) const NAMES: &str = "
CREATE VIRTUAL TABLE job_names USING fts5(
  name, content='', contentless_delete=1, detail=none, tokenize='trigram');
INSERT INTO job_names (rowid, name) SELECT id, name FROM jobs;
CREATE TRIGGER jobs_name_new AFTER INSERT ON jobs BEGIN
  INSERT INTO job_names (rowid, name) VALUES (new.id, new.name);
END;
CREATE TRIGGER jobs_name_gone AFTER DELETE ON jobs BEGIN
  DELETE FROM job_names WHERE rowid = old.id;
END;
";

/// The same with two characters behind each name that are in none, so that every part of a
/// name, however short, begins one of the threes. These can be walked through in order.
pub(crate) const NAME_PARTS: &str = "
DROP TRIGGER jobs_name_new;
DROP TABLE job_names;
CREATE VIRTUAL TABLE job_names USING fts5(
  name, content='', contentless_delete=1, detail=none, tokenize='trigram');
INSERT INTO job_names (rowid, name) SELECT id, name || '  ' FROM jobs;
CREATE TRIGGER jobs_name_new AFTER INSERT ON jobs BEGIN
  INSERT INTO job_names (rowid, name) VALUES (new.id, new.name || '  ');
END;
CREATE VIRTUAL TABLE job_name_parts USING fts5vocab(job_names, instance);
";

/// How a list is narrowed, ordered and paged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only the job of this name.
    pub name: Option<String>,
    /// Only names that contain this, in any case.
    pub name_contains: Option<String>,
    /// Only this main status.
    pub status: Option<String>,
    /// Only jobs whose secondary column contains this, in any case.
    pub label_contains: Option<String>,
    /// Only jobs with a warm pool in this status.
    pub warm_pool: Option<String>,
    /// Only jobs that have each of these tags.
    pub tags: Vec<Tag>,
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
    /// The time of the last change, then age.
    Modified,
    /// Name, then age.
    Name,
    /// Status, then age.
    Status,
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

/// What a search looks at of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDocument {
    /// Where a following page starts.
    pub place: Place,
    /// The description, as it was last rendered.
    pub description: String,
    /// The tags, in the order they were first given; none if they were not asked for.
    pub tags: Vec<Tag>,
}

/// One page of the jobs of a kind.
pub(crate) fn list(
    connection: &Connection,
    kind: &str,
    query: &ListQuery,
) -> Result<Vec<JobSummary>, StoreError> {
    page(connection, kind, query, Part::Summary, summary)
}

/// One page of the jobs of a kind, with their descriptions, and with their tags if these
/// are asked for.
pub(crate) fn documents(
    connection: &Connection,
    kind: &str,
    query: &ListQuery,
    tagged: bool,
) -> Result<Vec<JobDocument>, StoreError> {
    let part = match tagged {
        true => Part::TaggedDocument,
        false => Part::Document,
    };
    page(connection, kind, query, part, document)
}

/// How many jobs a list has on all pages together, counted to its limit.
pub(crate) fn count(
    connection: &Connection,
    kind: &str,
    query: &ListQuery,
) -> Result<u32, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let few = start::few(&snapshot, kind, query)?;
    // The threes of a name are met by more names than have it; any other condition, where
    // it is alone and not met by few, is met by many, and nothing is left to count.
    let alone = statement::conditions(query).len() == 1 && query.name_contains.is_none();
    if few.is_none() && alone && query.limit <= start::FEW {
        return Ok(query.limit);
    }
    let (sql, values) = statement::count_statement(kind, query, few.as_deref());
    let mut statement = snapshot.prepare_cached(&sql)?;
    Ok(statement.query_row(rusqlite::params_from_iter(values), |row| row.get(0))?)
}

/// The descriptions and tags of some jobs, by row; those that are gone are left out.
pub(crate) fn documents_at(
    connection: &Connection,
    kind: &str,
    rows: &[i64],
) -> Result<Vec<JobDocument>, StoreError> {
    let (sql, sort) = (statement::row_statement(), SortKey::Created);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(rows.len());
    for id in rows {
        let mut rows = statement.query(rusqlite::params![kind, id])?;
        if let Some(row) = rows.next()? {
            found.push(document(row, place(row, sort)?)?);
        }
    }
    Ok(found)
}

/// The descriptions and tags of the jobs in a range of rows, by row.
pub(crate) fn documents_between(
    connection: &Connection,
    kind: &str,
    (first, last): (i64, i64),
) -> Result<Vec<JobDocument>, StoreError> {
    let mut statement = connection.prepare_cached(&statement::range_statement())?;
    let documents = statement.query_map(rusqlite::params![kind, first, last], |row| {
        document(row, place(row, SortKey::Created)?)
    })?;
    Ok(documents.collect::<Result<_, _>>()?)
}

fn page<T>(
    connection: &Connection,
    kind: &str,
    query: &ListQuery,
    part: Part,
    read: impl Fn(&rusqlite::Row<'_>, Place) -> Result<T, rusqlite::Error>,
) -> Result<Vec<T>, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let few = start::few(&snapshot, kind, query)?;
    let (sql, values) = page_statement(kind, query, part, few.as_deref());
    let mut statement = snapshot.prepare_cached(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
        read(row, place(row, query.sort)?)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The columns that every part begins with say where it stands.
fn place(row: &rusqlite::Row<'_>, sort: SortKey) -> Result<Place, rusqlite::Error> {
    let value = match sort {
        SortKey::Created => row.get::<_, i64>("created")?.into(),
        SortKey::Modified => row.get::<_, i64>("modified")?.into(),
        SortKey::Name => row.get::<_, String>("name")?.into(),
        SortKey::Status => row.get::<_, String>("status")?.into(),
    };
    let row = row.get("id")?;
    Ok(Place { value, row })
}

fn summary(row: &rusqlite::Row<'_>, place: Place) -> Result<JobSummary, rusqlite::Error> {
    Ok(JobSummary {
        name: row.get("name")?,
        arn: row.get("arn")?,
        index: JobIndex {
            status: row.get("status")?,
            secondary: row.get("secondary")?,
            created: row.get("created")?,
            modified: row.get("modified")?,
            ended: row.get("ended")?,
        },
        warm_pool: row.get("warm_pool")?,
        place,
    })
}

fn document(row: &rusqlite::Row<'_>, place: Place) -> Result<JobDocument, rusqlite::Error> {
    let tags: Option<String> = row.get("tags")?;
    let tags = tags.map(|tags| serde_json::from_str(&tags));
    let damaged = |error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    };
    Ok(JobDocument {
        place,
        description: row.get("description")?,
        tags: tags.transpose().map_err(damaged)?.unwrap_or_default(),
    })
}

/// A place's value, as SQLite compares it.
pub(crate) fn sql_value(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Number(number) => Value::from(number.as_i64().unwrap_or_default()),
        other => Value::from(other.as_str().unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests;
