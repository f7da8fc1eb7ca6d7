//! SageMaker models: what was asked for, by name, and how to list them.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params};

use crate::job_list::{Place, containing, sql_value};
use crate::{Database, StoreError, tags};

pub(crate) const SCHEMA: &str = "
CREATE TABLE models (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  arn TEXT NOT NULL UNIQUE,
  created INTEGER NOT NULL,
  description TEXT NOT NULL
);
CREATE INDEX models_by_creation ON models (created, id, name);
CREATE INDEX models_by_name ON models (name, id, created);
";

/// A model about to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewModel {
    /// The name as given.
    pub name: String,
    /// The ARN, which is unique.
    pub arn: String,
    /// When it is created, epoch milliseconds.
    pub created: i64,
    /// What a describe call answers, as JSON.
    pub description: String,
    /// Tags given with the request.
    pub tags: Vec<(String, String)>,
}

/// How a list of models is narrowed, ordered and paged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelQuery {
    /// Only names that contain this, in any case.
    pub name_contains: Option<String>,
    /// Created at or after, epoch milliseconds.
    pub created_after: Option<i64>,
    /// Created at or before.
    pub created_before: Option<i64>,
    /// By name, and not by creation.
    pub by_name: bool,
    /// Whether the order is reversed.
    pub descending: bool,
    /// Continue after this place.
    pub after: Option<Place>,
    /// How many models at most.
    pub limit: u32,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// When it was created, epoch milliseconds.
    pub created: i64,
    /// Where a following page starts.
    pub place: Place,
}

/// The models in one SQLite file.
#[derive(Debug, Clone)]
pub struct ModelStore {
    database: Database,
}

impl ModelStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Creates a model, unless its ARN is taken.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], or the database's failure.
    pub async fn create(&self, model: NewModel) -> Result<(), StoreError> {
        self.database
            .write(move |tx| {
                let inserted = tx
                    .prepare_cached(
                        "INSERT INTO models (name, arn, created, description)
                         VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![
                        model.name,
                        model.arn,
                        model.created,
                        model.description
                    ])?;
                if inserted == 0 {
                    return Err(StoreError::NameTaken);
                }
                for (key, value) in &model.tags {
                    tags::put(tx, &model.arn, key, value)?;
                }
                Ok(())
            })
            .await
    }

    /// The description of the model with an ARN.
    ///
    /// # Errors
    /// The database's failure.
    pub fn description(&self, arn: &str) -> Result<Option<String>, StoreError> {
        self.database.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT description FROM models WHERE arn = ?1")?;
            Ok(query.query_row([arn], |row| row.get(0)).optional()?)
        })
    }

    /// Forgets the model with an ARN, and its tags. Answers whether there was one.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn delete(&self, arn: &str) -> Result<bool, StoreError> {
        let arn = arn.to_owned();
        self.database
            .write(move |tx| {
                let deleted = tx
                    .prepare_cached("DELETE FROM models WHERE arn = ?1")?
                    .execute([&arn])?;
                tags::forget(tx, &arn)?;
                Ok(deleted > 0)
            })
            .await
    }

    /// One page of models.
    ///
    /// # Errors
    /// The database's failure.
    pub fn list(&self, query: &ModelQuery) -> Result<Vec<ModelEntry>, StoreError> {
        let (sql, values) = statement(query);
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
                let (name, created): (String, i64) = (row.get(1)?, row.get(3)?);
                let value = match query.by_name {
                    true => name.clone().into(),
                    false => created.into(),
                };
                let row_id = row.get(0)?;
                Ok(ModelEntry {
                    name,
                    arn: row.get(2)?,
                    created,
                    place: Place { value, row: row_id },
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// The statement of one page.
fn statement(query: &ModelQuery) -> (String, Vec<Value>) {
    let column = if query.by_name { "name" } else { "created" };
    let (order, beyond) = match query.descending {
        true => ("DESC", '<'),
        false => ("ASC", '>'),
    };
    let mut conditions: Vec<(String, Vec<Value>)> = Vec::new();
    if let Some(text) = &query.name_contains {
        conditions.push((r"name LIKE ? ESCAPE '\'".to_owned(), vec![containing(text)]));
    }
    if let Some(time) = query.created_after {
        conditions.push(("created >= ?".to_owned(), vec![time.into()]));
    }
    if let Some(time) = query.created_before {
        conditions.push(("created <= ?".to_owned(), vec![time.into()]));
    }
    if let Some(place) = &query.after {
        let values = vec![sql_value(&place.value), place.row.into()];
        conditions.push((format!("({column}, id) {beyond} (?, ?)"), values));
    }
    let mut sql = "SELECT id, name, arn, created FROM models WHERE 1".to_owned();
    let mut values = Vec::new();
    for (condition, of) in conditions {
        sql.push_str(" AND ");
        sql.push_str(&condition);
        values.extend(of);
    }
    sql.push_str(&format!(" ORDER BY {column} {order}, id {order} LIMIT ?"));
    values.push(query.limit.into());
    (sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn model(name: &str, created: i64) -> NewModel {
        NewModel {
            name: name.to_owned(),
            arn: format!("arn:{}", name.to_lowercase()),
            created,
            description: format!("<{name}>"),
            tags: vec![("team".to_owned(), "blue".to_owned())],
        }
    }

    async fn filled() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        for (name, created) in [("b-x", 1), ("A-x", 2), ("c", 2), ("d-X", 4)] {
            store.models.create(model(name, created)).await.unwrap();
        }
        (directory, store)
    }

    #[tokio::test]
    async fn a_name_is_taken_once_and_free_when_its_model_is_gone() {
        let (_directory, store) = filled().await;
        let again = store.models.create(model("B-X", 5)).await;
        assert!(matches!(again, Err(StoreError::NameTaken)));
        let found = store.models.description("arn:b-x").unwrap();
        assert_eq!(found.as_deref(), Some("<b-x>"));
        assert_eq!(store.tags.list("arn:b-x").unwrap().len(), 1);
        assert!(store.models.delete("arn:b-x").await.unwrap());
        assert!(!store.models.delete("arn:b-x").await.unwrap());
        assert_eq!(store.models.description("arn:b-x").unwrap(), None);
        assert!(store.tags.list("arn:b-x").is_err());
        store.models.create(model("B-X", 5)).await.unwrap();
    }

    #[tokio::test]
    async fn pages_follow_each_other_in_every_order() {
        let (_directory, store) = filled().await;
        let all = |query: ModelQuery| {
            let mut names = Vec::new();
            let mut after = None;
            loop {
                let page = ModelQuery {
                    after,
                    limit: 1,
                    ..query.clone()
                };
                let mut page = store.models.list(&page).unwrap();
                let Some(entry) = page.pop() else {
                    return names.join(" ");
                };
                names.push(entry.name);
                after = Some(entry.place);
            }
        };
        let query = ModelQuery::default;
        assert_eq!(all(query()), "b-x A-x c d-X");
        let descending = true;
        let reversed = ModelQuery {
            descending,
            ..query()
        };
        assert_eq!(all(reversed), "d-X c A-x b-x");
        let by_name = ModelQuery {
            by_name: true,
            ..query()
        };
        assert_eq!(all(by_name), "A-x b-x c d-X");
        let narrowed = ModelQuery {
            name_contains: Some("-x".to_owned()),
            created_after: Some(2),
            created_before: Some(4),
            ..query()
        };
        assert_eq!(all(narrowed), "A-x d-X");
    }
}
