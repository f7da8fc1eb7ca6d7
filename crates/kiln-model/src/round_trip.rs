//! What passes validation can be read into its type, and nothing of it is lost:
//! requests are made up from the constraint table itself and sent through both.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::api;
use crate::pattern::translate;
use crate::table::{Member, Shape, operation, operations, pattern, shape};
use crate::validate::validate;

/// Texts, lists and maps grow no longer than this.
const LONG: u64 = 40;

/// Structures nest no deeper than this; the model has one that holds itself.
const DEEP: u32 = 8;

/// Values of a shape, nearly all of which keep its constraints.
fn values(of: &'static Shape, depth: u32) -> BoxedStrategy<Value> {
    match of {
        Shape::Structure(members) => structures(members, depth),
        Shape::Union(members) => {
            let one = |member: &Member| {
                let name = member.name();
                let value = values(member.shape(), depth + 1);
                value.prop_map(move |value| json!({name: value})).boxed()
            };
            proptest::strategy::Union::new(members.iter().map(one)).boxed()
        }
        Shape::List { member, length } => {
            let least = length.min.unwrap_or(0) as usize;
            let item = values(shape(*member), depth + 1);
            proptest::collection::vec(item, least..=least + 1)
                .prop_map(Value::from)
                .boxed()
        }
        Shape::Map { key, value, .. } => {
            let key = values(shape(*key), depth + 1);
            let value = values(shape(*value), depth + 1);
            let entry = (key, value);
            let entry =
                entry.prop_map(|(key, value)| (key.as_str().unwrap_or("k").to_owned(), value));
            proptest::collection::vec(entry, 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect()))
                .boxed()
        }
        Shape::String {
            length,
            pattern: number,
            ..
        } => {
            let (least, most) = (length.min.unwrap_or(0), length.max.unwrap_or(LONG));
            let kept = move |text: &String| (least..=most).contains(&(text.chars().count() as u64));
            let texts = match number {
                Some(number) => texts(pattern(*number).source()),
                None => "\\PC{0,20}".boxed(),
            };
            texts
                .prop_filter_map("the length is out of bounds", move |text| {
                    kept(&text).then_some(Value::String(text))
                })
                .boxed()
        }
        Shape::Enum(values) => select(*values).prop_map(Value::from).boxed(),
        Shape::Integer(bounds) => {
            let (min, max) = (
                bounds.min.unwrap_or(-5),
                bounds.max.unwrap_or(i64::from(i32::MAX)),
            );
            (min..=max).prop_map(Value::from).boxed()
        }
        Shape::Long(bounds) => {
            let (min, max) = (
                bounds.min.unwrap_or(i64::MIN),
                bounds.max.unwrap_or(i64::MAX),
            );
            (min..=max).prop_map(Value::from).boxed()
        }
        Shape::Float(bounds) | Shape::Double(bounds) => {
            let (min, max) = (bounds.min.unwrap_or(-1e9), bounds.max.unwrap_or(1e9));
            (min..=max).prop_map(Value::from).boxed()
        }
        Shape::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        // Whole seconds would be written as 1.0 and read as 1.
        Shape::Timestamp => (0..4_000_000_000_i64)
            .prop_map(|seconds| json!(seconds as f64 + 0.125))
            .boxed(),
    }
}

/// Structures with all required members and some of the others.
fn structures(members: &'static [Member], depth: u32) -> BoxedStrategy<Value> {
    let mut fields: BoxedStrategy<Map<String, Value>> = Just(Map::new()).boxed();
    for member in members {
        let value = match (member.is_required(), depth < DEEP) {
            (true, _) => values(member.shape(), depth + 1).prop_map(Some).boxed(),
            (false, true) => {
                proptest::option::weighted(0.4, values(member.shape(), depth + 1)).boxed()
            }
            (false, false) => continue,
        };
        let with = |(mut fields, value): (Map<String, Value>, Option<Value>)| {
            fields.extend(value.map(|value| (member.name().to_owned(), value)));
            fields
        };
        fields = (fields, value).prop_map(with).boxed();
    }
    fields.prop_map(Value::Object).boxed()
}

/// Texts that match a pattern. The generator knows no look-around.
fn texts(java: &'static str) -> BoxedStrategy<String> {
    let plain = java.replace("(?<!-)", "").replace(r"(?!\s*$)", "x");
    match proptest::string::string_regex(&translate(&plain)) {
        Ok(texts) => texts.boxed(),
        Err(error) => panic!("{java}: {error}"),
    }
}

/// Checks that requests of an operation survive their type.
fn check<T: Serialize + DeserializeOwned>(name: &str) {
    let operation = operation(name).unwrap();
    let mut runner = TestRunner::new(Config::with_cases(64));
    let requests = values(operation.input(), 0);
    let outcome = runner.run(&requests, |request| {
        prop_assume!(validate(operation, &request).is_ok());
        let typed: T = serde_json::from_value(request.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(&typed).unwrap(), request);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

macro_rules! survives {
    ($($test:ident: $($operation:literal = $request:ident),+;)+) => {
        $(#[test] fn $test() { $(check::<api::$request>($operation);)+ })+
    };
}

survives! {
    creating_training_jobs: "CreateTrainingJob" = CreateTrainingJobRequest;
    creating_other_jobs:
        "CreateCompilationJob" = CreateCompilationJobRequest,
        "CreateOptimizationJob" = CreateOptimizationJobRequest;
    updating: "UpdateTrainingJob" = UpdateTrainingJobRequest;
    searching: "Search" = SearchRequest;
    listing:
        "ListTrainingJobs" = ListTrainingJobsRequest,
        "ListCompilationJobs" = ListCompilationJobsRequest,
        "ListOptimizationJobs" = ListOptimizationJobsRequest,
        "ListModels" = ListModelsInput;
    models:
        "CreateModel" = CreateModelInput,
        "DescribeModel" = DescribeModelInput,
        "DeleteModel" = DeleteModelInput;
    naming:
        "DescribeTrainingJob" = DescribeTrainingJobRequest,
        "StopTrainingJob" = StopTrainingJobRequest,
        "DeleteTrainingJob" = DeleteTrainingJobRequest,
        "DescribeCompilationJob" = DescribeCompilationJobRequest,
        "StopCompilationJob" = StopCompilationJobRequest,
        "DeleteCompilationJob" = DeleteCompilationJobRequest,
        "DescribeOptimizationJob" = DescribeOptimizationJobRequest,
        "StopOptimizationJob" = StopOptimizationJobRequest,
        "DeleteOptimizationJob" = DeleteOptimizationJobRequest;
    tagging:
        "AddTags" = AddTagsInput,
        "ListTags" = ListTagsInput,
        "DeleteTags" = DeleteTagsInput;
}

/// Any JSON, with names that requests use here and there.
fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        select(vec![
            "TrainingJobName",
            "Tags",
            "InputDataConfig",
            "SearchExpression"
        ]),
        select(vec![
            "Key",
            "DataSource",
            "HyperParameters",
            "OptimizationConfigs"
        ]),
    ];
    scalar.prop_recursive(4, 24, 4, move |inner| {
        let entries = proptest::collection::vec((name.clone(), inner.clone()), 0..4);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            entries.prop_map(|entries| {
                Value::Object(
                    entries
                        .into_iter()
                        .map(|(k, v)| (k.to_owned(), v))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_has_an_answer(request in any_json(), place in 0..operations().len()) {
        if let Err(error) = validate(&operations()[place], &request) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn nulls_and_unknown_members_do_not_hinder() {
    let request = json!({
        "OptimizationJobName": "job-1",
        "RoleArn": "arn:aws:iam::123456789012:role/kiln",
        "ModelSource": {"S3": {"S3Uri": "s3://data/model/"}, "SageMakerModel": null},
        "DeploymentInstanceType": "ml.g5.2xlarge",
        "OptimizationConfigs": [{"ModelQuantizationConfig": {}, "ModelShardingConfig": null, "Unheard": 1}],
        "OutputConfig": {"S3OutputLocation": "s3://data/out/", "KmsKeyId": null},
        "StoppingCondition": {},
        "Tags": null,
        "Unheard": {"of": []},
    });
    validate(operation("CreateOptimizationJob").unwrap(), &request).unwrap();
    let typed: api::CreateOptimizationJobRequest = serde_json::from_value(request).unwrap();
    let expected = json!({
        "OptimizationJobName": "job-1",
        "RoleArn": "arn:aws:iam::123456789012:role/kiln",
        "ModelSource": {"S3": {"S3Uri": "s3://data/model/"}},
        "DeploymentInstanceType": "ml.g5.2xlarge",
        "OptimizationConfigs": [{"ModelQuantizationConfig": {}}],
        "OutputConfig": {"S3OutputLocation": "s3://data/out/"},
        "StoppingCondition": {},
    });
    assert_eq!(serde_json::to_value(typed).unwrap(), expected);
}
