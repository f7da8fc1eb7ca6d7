//! Lists agree with a plain filter and sort, and go about it by the right index.

use proptest::prelude::*;
use rusqlite::StatementStatus;

use super::*;
use crate::Store;

const KIND: &str = "training-job";

/// A job as a row, without its documents.
#[derive(Debug, Clone)]
struct Line {
    name: String,
    status: &'static str,
    created: i64,
    modified: i64,
    team: Option<&'static str>,
    pool: Option<&'static str>,
}

fn put(connection: &Connection, line: &Line) -> Result<(), StoreError> {
    let arn = format!("arn:{}", line.name);
    connection.execute(
        "INSERT INTO jobs (kind, name, arn, status, secondary, created, modified, description,
           request, state) VALUES (?1, ?2, ?3, ?4, '', ?5, ?6, '{}', '{}', '{}')",
        rusqlite::params![
            KIND,
            line.name,
            arn,
            line.status,
            line.created,
            line.modified
        ],
    )?;
    if let Some(team) = line.team {
        let sql = "INSERT INTO tags (arn, key, value) VALUES (?1, 'team', ?2)";
        connection.execute(sql, [&arn, team])?;
    }
    if let Some(pool) = line.pool {
        let sql = "INSERT INTO warm_pools (kind, job, status, document) VALUES (?1, ?2, ?3, '{}')";
        connection.execute(sql, [KIND, &line.name, pool])?;
    }
    Ok(())
}

/// A store with these jobs in it; the row of each is its number, from one.
fn filled(lines: &[Line]) -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let connection = Connection::open(directory.path().join("jobs.db")).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    for line in lines {
        put(&connection, line).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    (directory, store)
}

/// Many jobs: each of these statuses and names is common, and so is the tag.
fn many() -> Vec<Line> {
    let line = |number: i64| Line {
        name: format!("{}-{number}", ["alpha", "beta"][(number % 2) as usize]),
        status: ["Completed", "Failed"][(number / 2 % 2) as usize],
        created: number,
        modified: 10_000 - number,
        team: (number % 3 == 0).then_some("red"),
        pool: None,
    };
    (0..4100).map(line).collect()
}

/// How SQLite goes about a list.
fn plan(store: &Store, query: &ListQuery) -> String {
    let explained = |connection: &Connection| -> Result<String, StoreError> {
        let few = start::few(connection, KIND, query)?;
        let (sql, values) = page_statement(KIND, query, Part::Summary, few.as_deref());
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let steps = explain.query_map(rusqlite::params_from_iter(values), |row| row.get(3))?;
        Ok(steps.collect::<Result<Vec<String>, _>>()?.join("; "))
    };
    store.jobs.database.read(explained).unwrap()
}

#[test]
fn what_many_jobs_meet_is_looked_for_in_order_and_in_indexes_only() {
    let (_directory, store) = filled(&many());
    let narrowed: [fn(&mut ListQuery); 8] = [
        |_| {},
        |query| query.name_contains = Some("A-".to_owned()),
        |query| query.status = Some("Failed".to_owned()),
        |query| query.name_contains = Some("alpha".to_owned()),
        |query| query.created_after = Some(100),
        |query| query.created_before = Some(4_000),
        |query| query.modified_after = Some(6_000),
        |query| query.modified_before = Some(9_000),
    ];
    let mut tagged = ListQuery {
        sort: SortKey::Modified,
        tags: vec![("team".to_owned(), "red".to_owned())],
        limit: 10,
        ..ListQuery::default()
    };
    assert!(plan(&store, &tagged).contains("COVERING INDEX jobs_by_modification"));
    tagged.sort = SortKey::Created;
    assert!(plan(&store, &tagged).contains("INDEX jobs_by_creation"));
    for (sort, index) in [
        (SortKey::Created, "jobs_by_"),
        (SortKey::Modified, "jobs_by_modification"),
        (SortKey::Name, "jobs_by_name"),
        (SortKey::Status, "jobs_by_status"),
    ] {
        for narrow in narrowed {
            for descending in [false, true] {
                let mut query = ListQuery {
                    sort,
                    descending,
                    limit: 10,
                    ..ListQuery::default()
                };
                narrow(&mut query);
                let plan = plan(&store, &query);
                let walk = plan.split("; ").find(|step| step.contains("COVERING"));
                assert!(
                    walk.is_some_and(|walk| walk.contains(index)),
                    "{query:?}: {plan}"
                );
                // The rows of the page are sorted once more when they are read.
                let sorts = plan.matches("TEMP B-TREE").count();
                assert!(sorts <= 1, "{query:?}: {plan}");
            }
        }
    }
}

#[test]
fn what_few_jobs_meet_is_looked_for_first() {
    let mut lines = many();
    lines[7].status = "Stopped";
    lines[7].team = Some("blue");
    lines[7].pool = Some("Available");
    lines[8].name = "jazz".to_owned();
    let (_directory, store) = filled(&lines);
    let narrowed: [fn(&mut ListQuery); 9] = [
        |query| query.status = Some("Stopped".to_owned()),
        |query| query.name_contains = Some("ZZ".to_owned()),
        |query| query.name_contains = Some("j".to_owned()),
        |query| query.name = Some("beta-7".to_owned()),
        |query| query.name_contains = Some("TA-77".to_owned()),
        |query| query.created_after = Some(4_090),
        |query| query.modified_after = Some(9_999),
        |query| query.tags = vec![("team".to_owned(), "blue".to_owned())],
        |query| query.warm_pool = Some("Available".to_owned()),
    ];
    for narrow in narrowed {
        for sort in [SortKey::Created, SortKey::Name] {
            let mut query = ListQuery {
                sort,
                limit: 10,
                ..ListQuery::default()
            };
            narrow(&mut query);
            let plan = plan(&store, &query);
            assert!(plan.contains("few VIRTUAL TABLE"), "{query:?}: {plan}");
            assert!(!store.jobs.list(KIND, &query).unwrap().is_empty());
        }
    }
}

#[test]
fn jobs_are_counted_to_the_limit() {
    let (_directory, store) = filled(&many());
    let named = |part: &str| ListQuery {
        name_contains: Some(part.to_owned()),
        ..ListQuery::default()
    };
    let failed = ListQuery {
        status: Some("Failed".to_owned()),
        ..ListQuery::default()
    };
    let both = ListQuery {
        status: Some("Failed".to_owned()),
        ..named("alpha")
    };
    for (query, all) in [
        (ListQuery::default(), 4100),
        (failed, 2050),
        (both, 1025),
        (named("beta"), 2050),
        (named("beta-77"), 6),
        (named("7-"), 0),
        (named("b"), 2050),
    ] {
        for limit in [5, 1000, 5000] {
            let query = ListQuery {
                limit,
                ..query.clone()
            };
            let count = store.jobs.count(KIND, &query).unwrap();
            assert_eq!(count, all.min(limit), "{query:?}");
        }
    }
}

#[test]
fn a_list_that_is_asked_for_again_is_not_planned_again() {
    let (_directory, store) = filled(&many());
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
        let times = store.jobs.database.read(|connection| {
            for _ in 0..3 {
                list(connection, KIND, &query)?;
            }
            let few = start::few(connection, KIND, &query)?;
            let (sql, _) = page_statement(KIND, &query, Part::Summary, few.as_deref());
            let statement = connection.prepare_cached(&sql)?;
            Ok::<_, StoreError>(statement.get_status(StatementStatus::RePrepare))
        });
        assert_eq!(times.unwrap(), 0, "{query:?}");
    }
}

fn line() -> impl Strategy<Value = Line> {
    let stem = prop::sample::select(vec!["a", "Abc", "abd", "xabcx"]);
    let status = prop::sample::select(vec!["Completed", "Failed", "InProgress"]);
    let team = prop::option::of(prop::sample::select(vec!["blue", "red"]));
    let pool = prop::option::of(prop::sample::select(vec!["Available", "InUse"]));
    (stem, status, 0..4_i64, 0..4_i64, team, pool).prop_map(
        |(stem, status, created, modified, team, pool)| Line {
            name: stem.to_owned(),
            status,
            created,
            modified,
            team,
            pool,
        },
    )
}

fn query() -> impl Strategy<Value = ListQuery> {
    let some = |texts: &[&'static str]| {
        prop::option::weighted(
            0.3,
            prop::sample::select(texts.to_vec()).prop_map(str::to_owned),
        )
    };
    let time = || prop::option::weighted(0.3, 0..4_i64);
    let sort = prop::sample::select(vec![
        SortKey::Created,
        SortKey::Modified,
        SortKey::Name,
        SortKey::Status,
    ]);
    (
        some(&["a", "X", "abc", "bd", "cX", "xABCx"]),
        some(&["Completed", "Failed"]),
        some(&["Available"]),
        some(&["blue"]),
        (time(), time(), time(), time()),
        (sort, any::<bool>(), 1..5_u32),
    )
        .prop_map(
            |(name, status, pool, team, times, (sort, descending, limit))| ListQuery {
                name: None,
                name_contains: name,
                status,
                label_contains: None,
                warm_pool: pool,
                tags: team
                    .map(|team| ("team".to_owned(), team))
                    .into_iter()
                    .collect(),
                created_after: times.0,
                created_before: times.1,
                modified_after: times.2,
                modified_before: times.3,
                sort,
                descending,
                after: None,
                limit,
            },
        )
}

/// The names of a list, in order, found in the plainest way.
fn expected(lines: &[Line], query: &ListQuery) -> Vec<String> {
    let is = |asked: &Option<String>, value: Option<&str>| {
        asked.as_deref().is_none_or(|asked| value == Some(asked))
    };
    let meets = |line: &Line| {
        let contained = query.name_contains.as_ref().map(|part| part.to_lowercase());
        contained.is_none_or(|part| line.name.to_lowercase().contains(&part))
            && is(&query.status, Some(line.status))
            && is(&query.warm_pool, line.pool)
            && query.tags.iter().all(|(_, team)| line.team == Some(team))
            && query.created_after.is_none_or(|time| line.created >= time)
            && query.created_before.is_none_or(|time| line.created <= time)
            && query
                .modified_after
                .is_none_or(|time| line.modified >= time)
            && query
                .modified_before
                .is_none_or(|time| line.modified <= time)
    };
    let mut found: Vec<(usize, &Line)> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| meets(line))
        .collect();
    found.sort_by_key(|(row, line)| {
        let number = match query.sort {
            SortKey::Created => line.created,
            SortKey::Modified => line.modified,
            SortKey::Name | SortKey::Status => 0,
        };
        let text = match query.sort {
            SortKey::Name => line.name.clone(),
            SortKey::Status => line.status.to_owned(),
            SortKey::Created | SortKey::Modified => String::new(),
        };
        (number, text, *row)
    });
    if query.descending {
        found.reverse();
    }
    found
        .into_iter()
        .map(|(_, line)| line.name.clone())
        .collect()
}

fn all_pages(store: &Store, query: &ListQuery) -> Vec<String> {
    let mut query = query.clone();
    let mut names = Vec::new();
    loop {
        let page = store.jobs.list(KIND, &query).unwrap();
        let Some(last) = page.last() else {
            return names;
        };
        query.after = Some(last.place.clone());
        names.extend(page.into_iter().map(|job| job.name));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn lists_agree_with_a_plain_filter_and_sort(
        lines in prop::collection::vec(line(), 0..12),
        queries in prop::collection::vec(query(), 8),
    ) {
        let mut lines = lines;
        for (number, line) in lines.iter_mut().enumerate() {
            line.name = format!("{}-{number:02}", line.name);
        }
        let (_directory, store) = filled(&lines);
        for query in queries {
            let expected = expected(&lines, &query);
            prop_assert_eq!(&all_pages(&store, &query), &expected, "{:?}", &query);
            let everything = ListQuery { limit: 100, ..query };
            let count = store.jobs.count(KIND, &everything).unwrap();
            prop_assert_eq!(count as usize, expected.len());
            let documents = store.jobs.documents(KIND, &everything, true).unwrap();
            prop_assert_eq!(documents.len(), expected.len());
        }
    }
}
