//! The statements of lists: which index is walked, and what is asked of each job.

use rusqlite::types::Value;

use super::{ListQuery, SortKey, sql_value};

/// What is read of each job on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What a list shows.
    Summary,
    /// The description.
    Document,
    /// The description and the tags.
    TaggedDocument,
}

/// The tags of a job as pairs in JSON.
const TAGS: &str = "(SELECT json_group_array(json_array(key, value)) FROM \
    (SELECT key, value FROM tags WHERE tags.arn = jobs.arn ORDER BY position))";

impl Part {
    fn columns(self) -> String {
        let place = "jobs.id AS id, name, jobs.status AS status, created, modified";
        match self {
            Self::Summary => format!(
                "{place}, arn, secondary, ended, (SELECT document FROM warm_pools \
                 WHERE warm_pools.kind = jobs.kind AND job = name) AS warm_pool"
            ),
            Self::Document => format!("{place}, description, NULL AS tags"),
            Self::TaggedDocument => format!("{place}, description, {TAGS} AS tags"),
        }
    }
}

impl SortKey {
    fn column(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Modified => "modified",
            Self::Name => "name",
            Self::Status => "status",
        }
    }

    /// The index that is in this order among the jobs with a status, or among all.
    fn index(self, of_one_status: bool) -> &'static str {
        match (self, of_one_status) {
            (Self::Created, false) => "jobs_by_creation",
            (Self::Created, true) => "jobs_by_status_and_creation",
            (Self::Modified, _) => "jobs_by_modification",
            (Self::Name, _) => "jobs_by_name",
            (Self::Status, _) => "jobs_by_status",
        }
    }
}

/// A condition in SQL, and what its question marks stand for.
pub(super) type Condition = (&'static str, Vec<Value>);

/// What a query asks of each job.
pub(super) fn conditions(query: &ListQuery) -> Vec<Condition> {
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let time = |time: Option<i64>| time.map(Value::from);
    let mut all: Vec<Condition> = [
        ("name = ?", text(&query.name)),
        (
            r"name LIKE ? ESCAPE '\'",
            query.name_contains.as_deref().map(containing),
        ),
        ("status = ?", text(&query.status)),
        (
            r"secondary LIKE ? ESCAPE '\'",
            query.label_contains.as_deref().map(containing),
        ),
        (WARM_POOL, text(&query.warm_pool)),
        ("created >= ?", time(query.created_after)),
        ("created <= ?", time(query.created_before)),
        ("modified >= ?", time(query.modified_after)),
        ("modified <= ?", time(query.modified_before)),
    ]
    .into_iter()
    .filter_map(|(condition, value)| Some((condition, vec![value?])))
    .collect();
    all.extend(query.tags.iter().map(|(key, value)| {
        let tag = [key, value].map(|text| Value::from(text.clone()));
        (TAGGED, tag.into())
    }));
    all
}

const WARM_POOL: &str = "EXISTS (SELECT 1 FROM warm_pools \
    WHERE warm_pools.kind = jobs.kind AND job = jobs.name AND warm_pools.status = ?)";
const TAGGED: &str =
    "EXISTS (SELECT 1 FROM tags WHERE tags.arn = jobs.arn AND key = ? AND value = ?)";

/// The pattern of texts that contain another; to it, the case of letters is the same.
pub(crate) fn containing(text: &str) -> Value {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    Value::from(pattern)
}

/// The statement of one page, among a few rows if these are known.
pub(super) fn page_statement(
    kind: &str,
    query: &ListQuery,
    part: Part,
    few: Option<&[i64]>,
) -> (String, Vec<Value>) {
    let (from, mut values) = matching(kind, query, few);
    let (column, order, beyond) = match query.descending {
        true => (query.sort.column(), "DESC", '<'),
        false => (query.sort.column(), "ASC", '>'),
    };
    let mut rows = format!("SELECT jobs.id AS place {from}");
    if let Some(place) = &query.after {
        rows.push_str(&format!(" AND ({column}, jobs.id) {beyond} (?, ?)"));
        values.push(sql_value(&place.value));
        values.push(Value::from(place.row));
    }
    rows.push_str(&format!(
        " ORDER BY {column} {order}, jobs.id {order} LIMIT ?"
    ));
    values.push(Value::from(query.limit));
    // Only the rows of the page are read; what is sorted and cut before is narrow.
    let sql = format!(
        "SELECT {} FROM ({rows}) CROSS JOIN jobs ON jobs.id = place \
         ORDER BY {column} {order}, jobs.id {order}",
        part.columns()
    );
    (sql, values)
}

/// The statement that counts to the query's limit.
pub(super) fn count_statement(
    kind: &str,
    query: &ListQuery,
    few: Option<&[i64]>,
) -> (String, Vec<Value>) {
    // The order is no matter; this one's index has all columns.
    let query = &ListQuery {
        sort: SortKey::Modified,
        ..query.clone()
    };
    let (from, mut values) = matching(kind, query, few);
    values.push(Value::from(query.limit));
    let sql = format!("SELECT count(*) FROM (SELECT 1 {from} LIMIT ?)");
    (sql, values)
}

/// The statement of one job's document.
pub(super) fn row_statement() -> String {
    let columns = Part::TaggedDocument.columns();
    format!("SELECT {columns} FROM jobs WHERE kind = ? AND id = ?")
}

/// The statement of the documents in a range of rows.
pub(super) fn range_statement() -> String {
    let columns = Part::TaggedDocument.columns();
    format!(
        "SELECT {columns} FROM jobs NOT INDEXED \
         WHERE kind = ? AND jobs.id BETWEEN ? AND ? ORDER BY jobs.id"
    )
}

/// The jobs that meet all conditions: where they are looked for, and the conditions.
fn matching(kind: &str, query: &ListQuery, few: Option<&[i64]>) -> (String, Vec<Value>) {
    let mut values = Vec::new();
    let mut sql = match few {
        Some(rows) => {
            values.push(Value::from(json_list(rows)));
            "FROM json_each(?) AS few CROSS JOIN jobs ON jobs.id = few.value".to_owned()
        }
        None => {
            let index = query.sort.index(query.status.is_some());
            format!("FROM jobs INDEXED BY {index}")
        }
    };
    sql.push_str(" WHERE jobs.kind = ?");
    values.push(Value::from(kind.to_owned()));
    for (condition, of) in conditions(query) {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.extend(of);
    }
    (sql, values)
}

fn json_list(rows: &[i64]) -> String {
    let rows: Vec<String> = rows.iter().map(i64::to_string).collect();
    format!("[{}]", rows.join(","))
}
