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
    let page = |(what, operation, input): (&'static str, &str, Value)| {
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

fn questions() -> Vec<(&'static str, &'static str, Value)> {
    let list = |input| ("ListTrainingJobs", input);
    let everything = |by: &str| {
        let input = json!({"Resource": "TrainingJob", "SortBy": by});
        ("Search", input)
    };
    let search = |filters: Value, by: &str| {
        let input = json!({
            "Resource": "TrainingJob", "SearchExpression": {"Filters": filters}, "SortBy": by,
        });
        ("Search", input)
    };
    let filter = |name: &str, operator: &str, value: &str| json!({"Name": name, "Operator": operator, "Value": value});
    let depth = filter("HyperParameters.depth", "GreaterThan", "5");
    let rate = filter("HyperParameters.rate", "LessThan", "0.5");
    let asked = [
        ("list", list(json!({}))),
        ("list by name", list(json!({"SortBy": "Name"}))),
        (
            "list, stopped, name contains",
            list(json!({"StatusEquals": "Stopped", "NameContains": "7777"})),
        ),
        ("search", everything("CreationTime")),
        (
            "search by a hyperparameter",
            everything("HyperParameters.rate"),
        ),
        (
            "search two hyperparameters, by one of them",
            search(json!([depth, rate]), "HyperParameters.rate"),
        ),
        (
            "search text within a property, no hit",
            search(
                json!([filter("RoleArn", "Contains", "nobody")]),
                "TrainingEndTime",
            ),
        ),
        (
            "search a tag",
            search(
                json!([filter("Tags.team", "Equals", "3")]),
                "LastModifiedTime",
            ),
        ),
    ];
    let whole = asked
        .into_iter()
        .map(|(what, (operation, input))| (what, operation, input));
    whole.collect()
}
