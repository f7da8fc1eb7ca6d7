//! First pages of lists and searches over all the jobs that have ended.

use std::time::Instant;

use serde_json::{Value, json};

use crate::client::{Client, Endpoint};
use crate::error::BenchError;
use crate::samples::Samples;

/// One question, and how long its first page took each time.
#[derive(Debug, Clone)]
pub struct Page {
    /// The question, as words.
    pub what: &'static str,
    /// From sending it to having read the answer.
    pub took: Samples,
}

/// Asks each question so many times.
pub fn measure(endpoint: &Endpoint, times: usize) -> Result<Vec<Page>, BenchError> {
    let mut client = Client::new(endpoint);
    let page = |(what, operation, input): Question| {
        let asked = (0..times).map(|_| {
            let begun = Instant::now();
            client.sagemaker(operation, &input)?;
            Ok(begun.elapsed())
        });
        Ok(Page {
            what,
            took: asked.collect::<Result<_, BenchError>>()?,
        })
    };
    questions().into_iter().map(page).collect()
}

type Question = (&'static str, &'static str, Value);

fn questions() -> Vec<Question> {
    [lists(), orders(), filters(), expressions()].concat()
}

fn lists() -> Vec<Question> {
    let list = |what, input| (what, "ListTrainingJobs", input);
    vec![
        list("list", json!({})),
        list("list by name", json!({"SortBy": "Name"})),
        list(
            "list, stopped, name contains",
            json!({"StatusEquals": "Stopped", "NameContains": "7777"}),
        ),
        list(
            "list, name contains two characters, no hit",
            json!({"NameContains": "zz"}),
        ),
        list(
            "list, created before all",
            json!({"CreationTimeBefore": 1.0, "SortBy": "Status"}),
        ),
        (
            "suggestions",
            "GetSearchSuggestions",
            json!({
                "Resource": "TrainingJob",
                "SuggestionQuery": {"PropertyNameQuery": {"PropertyNameHint": "HyperParameters."}},
            }),
        ),
    ]
}

fn orders() -> Vec<Question> {
    let everything = |what, by: &str| {
        let input = json!({"Resource": "TrainingJob", "SortBy": by});
        (what, "Search", input)
    };
    vec![
        everything("search", "CreationTime"),
        everything("search by a hyperparameter", "HyperParameters.rate"),
        everything("search by a text", "TrainingJobArn"),
    ]
}

fn filters() -> Vec<Question> {
    let (depth, rate) = (
        parameter("depth", 5),
        filter("HyperParameters.rate", "LessThan", "0.5"),
    );
    let numbers = ["seed", "width", "scale", "decay"].map(|name| parameter(name, 10));
    let times = ["CreationTime", "LastModifiedTime", "TrainingEndTime"]
        .map(|name| filter(name, "GreaterThan", "2001-01-01T00:00:00"));
    let texts = [
        filter("TrainingJobName", "NotEquals", "nobody"),
        filter("TrainingJobArn", "Contains", "past"),
    ];
    let ten = [
        vec![rate.clone()],
        numbers.into(),
        times.into(),
        texts.into(),
    ]
    .concat();
    let search = |what, filters: Value, by| search(what, json!({"Filters": filters}), by);
    vec![
        search(
            "search two hyperparameters, by one of them",
            json!([depth, rate]),
            "HyperParameters.rate",
        ),
        search(
            "search ten filters that many meet",
            json!(ten),
            "LastModifiedTime",
        ),
        search(
            "search text within a property, no hit",
            json!([filter("RoleArn", "Contains", "nobody")]),
            "TrainingEndTime",
        ),
        search(
            "search text within each job's own, no hit",
            json!([filter("TrainingJobArn", "Contains", "nobody")]),
            "TrainingEndTime",
        ),
        search(
            "search a tag",
            json!([filter("Tags.team", "Equals", "3")]),
            "LastModifiedTime",
        ),
    ]
}

fn expressions() -> Vec<Question> {
    let nested = json!({"NestedFilters": [{
        "NestedPropertyName": "InputDataConfig",
        "Filters": [
            filter("InputDataConfig.ChannelName", "Equals", "train"),
            filter("InputDataConfig.ContentType", "Contains", "777"),
        ],
    }]});
    let either = |one: Value, other: Value| json!({"Operator": "Or", "Filters": [one], "SubExpressions": [other]});
    let deep = ["seed", "width", "scale", "decay"].into_iter().fold(
        json!({"Filters": [parameter("depth", 9)]}),
        |within, name| either(parameter(name, 900_000), within),
    );
    vec![
        search(
            "search nested filters, each job's own",
            nested,
            "CreationTime",
        ),
        search("search expressions in expressions", deep, "CreationTime"),
    ]
}

fn search(what: &'static str, expression: Value, by: &str) -> Question {
    let input = json!({"Resource": "TrainingJob", "SearchExpression": expression, "SortBy": by});
    (what, "Search", input)
}

fn filter(name: &str, operator: &str, value: &str) -> Value {
    json!({"Name": name, "Operator": operator, "Value": value})
}

fn parameter(name: &str, more_than: u32) -> Value {
    filter(
        &format!("HyperParameters.{name}"),
        "GreaterThan",
        &more_than.to_string(),
    )
}
