//! The search index says what the records say, whether it is behind with them or not.

use std::collections::BTreeSet;

use kiln_model::api::{SearchExpression, SearchRequest};
use kiln_store::{JobChange, JobIndex, NewJob, Store, StoreError};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::any_expression::expression;
use super::column::{Column, Item};
use super::columns::{Columns, EVERYBODY};
use super::expression::Condition;
use super::flattening::BlockWriter;
use super::indexing::by_block;
use super::property::Property;
use super::scalar::Scalar;
use super::*;
use crate::test_machine::{Machine, control_plane};

/// A record with a value of every kind, and with what numbers choose.
fn record(number: i64) -> Value {
    let status = ["Completed", "Failed", "InProgress"][(number % 3) as usize];
    let mut record = json!({
        "TrainingJobName": format!("job-{number}"),
        "TrainingJobStatus": status,
        "CreationTime": 1_700_000_000.5 + (number % 5) as f64,
        "LastModifiedTime": 1_700_000_100.25 - number as f64,
        "EnableManagedSpotTraining": number % 2 == 0,
        "ResourceConfig": {"InstanceCount": number % 4 + 1, "InstanceType": "ml.m5.large"},
        "HyperParameters": {"depth": (number % 7).to_string(), "a.b": "x"},
        "Environment": {},
        "AlgorithmSpecification": {
            "TrainingImage": "image",
            "ContainerArguments": ["a", "b"],
            "MetricDefinitions": [],
        },
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/cats"}}},
            {"ChannelName": format!("c{}", number % 2), "DataSource": {"FileSystemDataSource": {}}},
        ],
        "DebugRuleConfigurations": [
            {"RuleParameters": {"k": "1"}},
            {"RuleParameters": {"k": (number % 3).to_string()}},
        ],
        "ProfilingStatus": "Disabled",
        "Tags": [{"Key": "team", "Value": "blue"}, {"Key": "a.b", "Value": "c"}],
    });
    if number % 3 == 1 {
        record["FailureReason"] = json!("AlgorithmError: \u{e4}");
        record["FinalMetricDataList"] = json!([
            {"MetricName": "loss", "Value": number as f64 / 8.0, "Timestamp": 1.5},
            {"MetricName": "v:x.y", "Value": 1},
        ]);
    }
    if number % 2 == 1 {
        record["ResourceConfig"]["InstanceGroups"] = json!([
            {"InstanceType": "ml.a", "InstanceCount": number % 3 + 1},
            {"InstanceType": "ml.b", "InstanceCount": number % 5 + 1},
        ]);
    }
    if number % 4 == 3 {
        record["InputDataConfig"] = json!([]);
        record["Tags"] = json!([]);
        record["HyperParameters"] = Value::Null;
    }
    record
}

/// Properties of records, those that some have and those that none has.
fn names() -> Vec<String> {
    let known = catalogue::CATALOGUE.iter().map(|(name, _)| *name);
    let chosen = [
        "HyperParameters.depth",
        "HyperParameters.a.b",
        "HyperParameters.none",
        "Environment.HOME",
        "Metrics.loss",
        "Metrics.v:x.y",
        "Metrics.none",
        "Tags.team",
        "Tags.a.b",
        "Tags.none",
        "DebugRuleConfigurations.RuleParameters.k",
    ];
    known.chain(chosen).map(str::to_owned).collect()
}

fn block_of(records: &[(u16, Value)]) -> Vec<(String, Vec<u8>)> {
    let mut writer = BlockWriter::default();
    for (place, record) in records {
        writer.add(*place, record);
    }
    writer.finish()
}

/// The values as a record has them, where nobody has read a text as a number yet.
fn read_as<'a>(values: &[Scalar<'a>]) -> Vec<Scalar<'a>> {
    let plain = |value: &Scalar<'a>| match *value {
        Scalar::Numeral(text, _) => Scalar::Text(text),
        value => value,
    };
    values.iter().map(plain).collect()
}

#[test]
fn columns_have_the_values_of_every_property() {
    let records: Vec<(u16, Value)> = (0..40).map(|n| (n * 3, record(n.into()))).collect();
    let columns = block_of(&records);
    for name in names() {
        let property = Property::named(&name).unwrap();
        let expected: Vec<(u16, String)> = records
            .iter()
            .map(|(place, record)| (*place, Scalar::all(&property.values(record))))
            .filter(|(_, values)| !values.is_empty())
            .map(|(place, values)| (place, format!("{values:?}")))
            .collect();
        let column = columns.iter().find(|(known, _)| *known == name);
        let Some((_, bytes)) = column else {
            assert!(expected.is_empty(), "{name} has no column");
            continue;
        };
        let column = Column::read(bytes).unwrap();
        let mut found: Vec<(u16, String)> = Vec::new();
        let values = |items: &[Item<'_>]| {
            let scalars: Vec<Scalar<'_>> = items.iter().map(|item| item.scalar).collect();
            format!("{:?}", read_as(&scalars))
        };
        let everybody = column.jobs();
        let each = column.each(everybody, values, |place, values| {
            found.push((place, values.clone()));
        });
        each.unwrap();
        assert_eq!(found, expected, "{name}");
    }
}

proptest! {
    #[test]
    fn columns_meet_what_records_meet(
        expression in expression(),
        numbers in prop::collection::btree_map(0..1024_u16, 0..100_i64, 0..30),
    ) {
        let asked: SearchExpression = serde_json::from_value(expression).unwrap();
        let Ok(condition) = Condition::of(&asked) else {
            // `Contains` stood in it twice.
            return Ok(());
        };
        let records: Vec<(u16, Value)> =
            numbers.into_iter().map(|(place, n)| (place, record(n))).collect();
        let written = block_of(&records);
        let mut properties = BTreeSet::new();
        condition.properties(&mut properties);
        let properties: Vec<&str> = std::iter::once(EVERYBODY).chain(properties).collect();
        let read = |place: usize| {
            let found = written.iter().find(|(known, _)| *known == properties[place]);
            Ok(found.map(|(_, bytes)| bytes.as_slice()))
        };
        let columns = Columns::new(&properties, &read);
        let found = columns.meeting(&condition, &columns.everybody().unwrap()).unwrap();
        let meeting = records.iter().filter(|(_, record)| condition.holds(record));
        let meeting: Vec<u16> = meeting.map(|(place, _)| *place).collect();
        prop_assert_eq!(found.count(), meeting.len());
        prop_assert_eq!(found.places().collect::<Vec<_>>(), meeting);
    }
}

async fn create(store: &Store, number: i64) {
    let record = record(number);
    let tags = record["Tags"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let job = NewJob {
        kind: KIND,
        name: text(&record["TrainingJobName"]),
        arn: format!("arn:{number}"),
        request: "{}".to_owned(),
        tags: tags
            .map(|tag| (text(&tag["Key"]), text(&tag["Value"])))
            .collect(),
        change: change(&record),
    };
    store.jobs.create(job).await.unwrap();
}

fn change(record: &Value) -> JobChange {
    let millis = |member: &str| (record[member].as_f64().unwrap() * 1000.0) as i64;
    JobChange {
        request: None,
        state: "{}".to_owned(),
        description: record.to_string(),
        index: JobIndex {
            status: record["TrainingJobStatus"].as_str().unwrap().to_owned(),
            secondary: String::new(),
            created: millis("CreationTime"),
            modified: millis("LastModifiedTime"),
            ended: Some(1),
        },
        announcements: Vec::new(),
        warm_pool: None,
    }
}

/// All that a search finds, page by page.
async fn found(jobs: &TrainingJobs, request: &Value) -> Vec<Value> {
    let mut request: SearchRequest = serde_json::from_value(request.clone()).unwrap();
    let mut all = Vec::new();
    loop {
        let answer: Value =
            serde_json::from_str(&jobs.search(request.clone()).await.unwrap()).unwrap();
        all.extend(answer["Results"].as_array().unwrap().iter().cloned());
        request.next_token = answer["NextToken"].as_str().map(str::to_owned);
        if request.next_token.is_none() {
            assert_eq!(answer["TotalHits"]["Value"], all.len());
            return all;
        }
    }
}

fn requests() -> Vec<Value> {
    let mut all = Vec::new();
    for sort in [
        "Metrics.loss",
        "HyperParameters.depth",
        "LastModifiedTime",
        "TrainingJobName",
    ] {
        for order in ["Ascending", "Descending"] {
            for (name, value) in [
                ("TrainingJobStatus", "Failed"),
                ("HyperParameters.depth", "3"),
                ("Tags.team", "blue"),
            ] {
                let filter = json!({"Name": name, "Operator": "NotEquals", "Value": value});
                all.push(json!({
                    "Resource": "TrainingJob",
                    "SearchExpression": {"Filters": [filter]},
                    "SortBy": sort,
                    "SortOrder": order,
                    "MaxResults": 7,
                }));
            }
        }
    }
    all
}

async fn answers(jobs: &TrainingJobs) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for request in requests() {
        all.push(found(jobs, &request).await);
    }
    all
}

async fn index(jobs: &TrainingJobs, store: &Store) {
    for (block, marks) in by_block(store.search.marks(10_000).unwrap()) {
        jobs.index_block(block, marks).await.unwrap();
    }
    assert!(store.search.marks(1).unwrap().is_empty());
}

#[tokio::test]
async fn searches_find_the_same_however_far_the_index_has_come() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let jobs = TrainingJobs::new(control_plane(
        &store,
        directory.path(),
        &Machine::with_room_for(1),
    ));
    for number in 0..60 {
        create(&store, number).await;
    }
    let read = answers(&jobs).await;
    assert!(read.iter().all(|found| found.len() > 10));
    index(&jobs, &store).await;
    assert_eq!(answers(&jobs).await, read);

    // Some change, some go, some come, and the index does not know yet.
    for number in 0..10 {
        let changed = change(&record(number + 1));
        let done: Result<(), StoreError> = store
            .jobs
            .change(KIND, &format!("job-{number}"), |_| Ok((Some(changed), ())))
            .await;
        done.unwrap();
        store
            .jobs
            .delete(KIND, &format!("job-{}", number + 20))
            .await
            .unwrap();
        create(&store, number + 60).await;
    }
    let tag = ("team".to_owned(), "red".to_owned());
    store.tags.add("arn:40", vec![tag]).await.unwrap();
    let behind = answers(&jobs).await;
    assert_ne!(behind, read);
    index(&jobs, &store).await;
    assert_eq!(answers(&jobs).await, behind);
}
