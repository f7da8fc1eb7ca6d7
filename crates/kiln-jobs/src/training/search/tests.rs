//! Expressions against records, and against what the store is asked instead.

use kiln_model::api::{SearchExpression, VisibilityConditions};
use kiln_store::{JobDocument, Place};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::expression::Condition;
use super::order::{Key, Leading, Order, Standing};
use super::property::Property;
use super::scalar::Scalar;
use super::*;

fn condition(expression: Value) -> Result<Condition, InvalidSearch> {
    let expression: SearchExpression = serde_json::from_value(expression).unwrap();
    Condition::of(&expression)
}

fn filter(name: &str, operator: &str, value: &str) -> Value {
    json!({"Name": name, "Operator": operator, "Value": value})
}

fn record() -> Value {
    json!({
        "TrainingJobName": "job",
        "TrainingJobStatus": "Completed",
        "CreationTime": 1_700_000_000.5,
        "HyperParameters": {"depth": "6"},
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/cats"}}},
            {"ChannelName": "test", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/dogs"}}},
        ],
        "Tags": [{"Key": "team", "Value": "blue"}],
    })
}

#[test]
fn expressions_are_met_or_not() {
    let (yes, no) = (
        filter("TrainingJobName", "Equals", "job"),
        filter("TrainingJobName", "Equals", "x"),
    );
    let nested = |channel: &str, uri: &str| {
        json!({"NestedFilters": [{
            "NestedPropertyName": "InputDataConfig",
            "Filters": [
                filter("InputDataConfig.ChannelName", "Equals", channel),
                filter("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", uri),
            ],
        }]})
    };
    let cases = [
        (json!({"Filters": [yes, yes]}), true),
        (json!({"Filters": [yes, no]}), false),
        (json!({"Filters": [yes, no], "Operator": "Or"}), true),
        (json!({"Filters": [no, no], "Operator": "Or"}), false),
        (
            json!({"Filters": [yes], "SubExpressions": [{"Filters": [no]}]}),
            false,
        ),
        (
            json!({"Filters": [yes], "SubExpressions": [{"Filters": [no, yes], "Operator": "Or"}]}),
            true,
        ),
        (
            json!({"Operator": "Or", "SubExpressions": [{"Filters": [no]}, {"Filters": [yes]}]}),
            true,
        ),
        // One object must meet all filters; two that meet one each are not enough.
        (nested("train", "cats"), true),
        (nested("train", "dogs"), false),
        (
            json!({"Filters": [
                filter("InputDataConfig.ChannelName", "Equals", "train"),
                filter("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "dogs"),
            ]}),
            true,
        ),
    ];
    for (expression, holds) in cases {
        let met = condition(expression.clone()).unwrap().holds(&record());
        assert_eq!(met, holds, "{expression}");
    }
}

#[test]
fn expressions_that_make_no_sense_are_refused() {
    let any = filter("TrainingJobName", "Equals", "a");
    let contains = filter("TrainingJobName", "Contains", "a");
    let nested = |outer: &str, inner: &str| json!({"NestedFilters": [{"NestedPropertyName": outer, "Filters": [filter(inner, "Equals", "a")]}]});
    let cases = [
        (json!({}), InvalidSearch::EmptyExpression),
        (
            json!({"Filters": [any], "SubExpressions": [{"Operator": "Or"}]}),
            InvalidSearch::EmptyExpression,
        ),
        (
            json!({"Filters": [contains], "SubExpressions": [{"Filters": [contains]}]}),
            InvalidSearch::ContainsLimit,
        ),
        (
            json!({"SubExpressions": vec![json!({"Filters": vec![&any; 16]}); 3]}),
            InvalidSearch::TooManyParts(50),
        ),
        (
            json!({"Filters": [filter("Name", "Equals", "a")]}),
            InvalidSearch::UnknownProperty("Name".to_owned()),
        ),
        (
            nested("TrainingJobName", "TrainingJobName"),
            InvalidSearch::NotNested("TrainingJobName".to_owned()),
        ),
        (
            nested("InputDataConfig", "ResourceConfig.InstanceType"),
            InvalidSearch::OutsideNested(
                "ResourceConfig.InstanceType".to_owned(),
                "InputDataConfig".to_owned(),
            ),
        ),
    ];
    for (expression, error) in cases {
        assert_eq!(condition(expression.clone()), Err(error), "{expression}");
    }
    let most = json!({"Filters": vec![&any; 20], "SubExpressions": [{"Filters": vec![&any; 20]}]});
    assert!(condition(most).is_ok());
}

#[test]
fn words_of_the_cloud() {
    assert_eq!(
        InvalidSearch::ContainsLimit.to_string(),
        "'CONTAINS' operator usage limit of 1 exceeded."
    );
}

#[test]
fn a_record_with_another_value_of_a_visibility_tag_is_not_seen() {
    let visible = |key: Option<&str>, value: Option<&str>| {
        Condition::visible(&VisibilityConditions {
            key: key.map(str::to_owned),
            value: value.map(str::to_owned),
        })
    };
    for (key, value, seen) in [
        ("Tags.team", "blue", true),
        ("Tags.team", "red", false),
        ("Tags.other", "red", true),
    ] {
        let condition = visible(Some(key), Some(value)).unwrap();
        assert_eq!(condition.holds(&record()), seen, "{key}={value}");
    }
    for (key, value) in [
        (Some("team"), Some("a")),
        (Some("TrainingJobName"), Some("a")),
        (Some("Tags.team"), None),
        (None, Some("a")),
    ] {
        assert!(visible(key, value).is_err(), "{key:?} {value:?}");
    }
}

#[test]
fn what_columns_answer_is_asked_of_the_store() {
    let asked = |filters: Value| {
        let condition = condition(json!({"Filters": filters})).unwrap();
        let mut query = ListQuery::default();
        let exact = narrowing::narrow(&mut query, &condition);
        (query, exact)
    };
    let (query, exact) = asked(json!([
        filter("TrainingJobStatus", "Equals", "Failed"),
        filter("Tags.team", "Equals", "blue"),
        filter("CreationTime", "GreaterThan", "1970-01-01T00:00:01"),
        filter("CreationTime", "GreaterThan", "1970-01-01T00:00:00"),
        filter("LastModifiedTime", "LessThan", "1970-01-01T00:00:09"),
    ]));
    let expected = ListQuery {
        status: Some("Failed".to_owned()),
        tags: vec![("team".to_owned(), "blue".to_owned())],
        created_after: Some(2_000),
        modified_before: Some(8_999),
        ..ListQuery::default()
    };
    assert!(exact);
    assert_eq!(query, expected);

    for filters in [
        json!([filter("TrainingJobName", "Contains", "a")]),
        json!([filter("TrainingJobStatus", "NotEquals", "Failed")]),
        json!([filter("HyperParameters.x", "Equals", "1")]),
        json!([
            filter("TrainingJobStatus", "Equals", "Failed"),
            filter("TrainingJobStatus", "Equals", "Completed"),
        ]),
    ] {
        assert!(!asked(filters.clone()).1, "{filters}");
    }
}

#[test]
fn a_record_has_the_members_that_are_asked_for() {
    let document = JobDocument {
        place: Place {
            value: Value::Null,
            row: 1,
        },
        description: json!({"TrainingJobName": "a", "ProfilingStatus": "Disabled", "RoleArn": "r"})
            .to_string(),
        tags: vec![("k".to_owned(), "v".to_owned())],
    };
    let tags = json!([{"Key": "k", "Value": "v"}]);
    let members = ["RoleArn", "Tags"].map(str::to_owned).into();
    let partial = record::partial(&document, &members).unwrap();
    assert_eq!(partial, json!({"RoleArn": "r", "Tags": tags}));
    let whole = record::whole(&document).unwrap();
    assert_eq!(
        whole,
        json!({"TrainingJobName": "a", "RoleArn": "r", "Tags": tags})
    );
}

fn key_of(property: &Property, record: &Value) -> Option<Key<String>> {
    let values = Scalar::all(&property.values(record));
    Key::of(property, values.first().copied()).map(|key| key.owned())
}

fn key() -> impl Strategy<Value = Option<Key<String>>> {
    let value = prop_oneof![
        Just(None),
        (-2..3_i32).prop_map(|number| Some(json!(f64::from(number) / 2.0))),
        any::<f64>().prop_filter_map("a number", |number| {
            number.is_finite().then(|| Some(json!(number)))
        }),
        "[a-c]{1,2}".prop_map(|text| Some(json!(text))),
    ];
    value.prop_map(|value| {
        let property = Property::named("HyperParameters.x").unwrap();
        let record = value.map_or(json!({}), |value| json!({"HyperParameters": {"x": value}}));
        key_of(&property, &record)
    })
}

proptest! {
    #[test]
    fn pages_in_the_order_of_a_property_have_each_job_once(
        keys in prop::collection::vec(key(), 0..40),
        descending: bool,
        size in 1..7_usize,
    ) {
        let all: Vec<Standing<String>> = keys
            .into_iter()
            .zip(1..)
            .map(|(key, row)| Standing { key, row })
            .collect();
        let mut seen: Vec<Standing<String>> = Vec::new();
        loop {
            let mut leading = Leading::new(descending, seen.last().cloned(), size);
            all.iter().for_each(|one| leading.offer(one.view()));
            let page = leading.settled();
            if page.is_empty() {
                break;
            }
            prop_assert!(page.len() <= size);
            seen.extend(page);
        }
        let mut rows: Vec<i64> = seen.iter().map(|one| one.row).collect();
        // Those without a value are last; the others rise or fall.
        let last = seen.iter().position(|one| one.key.is_none()).unwrap_or(seen.len());
        prop_assert!(seen[last..].iter().all(|one| one.key.is_none()));
        let rising = |pair: &[Standing<String>]| pair[0].key.cmp(&pair[1].key);
        let wrong = if descending { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
        prop_assert!(seen[..last].windows(2).all(|pair| rising(pair) != wrong));
        rows.sort_unstable();
        prop_assert_eq!(rows, (1..=all.len() as i64).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_are_sorted_as_numbers(one: f64, other: f64) {
        prop_assume!(one.is_finite() && other.is_finite());
        let property = Property::named("Metrics.x").unwrap();
        let key = |number: f64| {
            key_of(&property, &json!({"FinalMetricDataList": [{"MetricName": "x", "Value": number}]}))
        };
        prop_assert_eq!(key(one).cmp(&key(other)), one.partial_cmp(&other).unwrap());
    }

    #[test]
    fn what_the_store_is_not_asked_is_what_records_are_asked(
        status in prop::sample::select(vec!["Completed", "Failed"]),
        team in prop::sample::select(vec!["blue", "red"]),
        second in 1_699_999_999_i64..1_700_000_002,
        operator in prop::sample::select(vec![
            "Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo",
        ]),
    ) {
        let time = kiln_model::Timestamp::from_millis(second * 1000).unwrap().to_string();
        let expression = condition(json!({"Filters": [
            filter("TrainingJobStatus", "Equals", status),
            filter("Tags.team", "Equals", team),
            filter("CreationTime", operator, time.trim_end_matches(".000Z")),
        ]})).unwrap();
        let mut query = ListQuery::default();
        let exact = narrowing::narrow(&mut query, &expression);
        prop_assert_eq!(exact, operator != "NotEquals");
        let created = 1_700_000_000_500;
        let kept = query.status.as_deref().is_none_or(|status| status == "Completed")
            && query.tags.iter().all(|(_, value)| value == "blue")
            && query.created_after.is_none_or(|time| created >= time)
            && query.created_before.is_none_or(|time| created <= time);
        let met = expression.holds(&record());
        prop_assert!(kept || !met, "a job that matches is never left out");
        prop_assert!(!exact || kept == met);
    }

    #[test]
    fn any_name_is_a_property_or_refused(name in ".{1,40}") {
        let _ = Property::named(&name);
        let _ = Order::of(Some(&name));
    }
}
