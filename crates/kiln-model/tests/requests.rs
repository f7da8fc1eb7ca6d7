//! Requests and what validation answers to them. The requests are data, in
//! `requests.json`: a malformed one is given whole, or as the first well-formed
//! one of its operation with the value `put` at a place `at`.

use kiln_model::{operation, validate};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Requests {
    well_formed: Vec<WellFormed>,
    malformed: Vec<Malformed>,
}

#[derive(Deserialize)]
struct WellFormed {
    operation: String,
    request: Value,
}

#[derive(Deserialize)]
struct Malformed {
    operation: String,
    #[serde(flatten)]
    request: Given,
    code: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Changed { at: String, put: Value },
    Whole { request: Value },
}

impl Requests {
    fn read() -> Self {
        serde_json::from_str(include_str!("requests.json")).expect("the test's data")
    }

    fn request(&self, malformed: &Malformed) -> Value {
        match &malformed.request {
            Given::Whole { request } => request.clone(),
            Given::Changed { at, put } => {
                let first = self
                    .well_formed
                    .iter()
                    .find(|row| row.operation == malformed.operation);
                changed(
                    first.expect("a well-formed request").request.clone(),
                    at,
                    put,
                )
            }
        }
    }
}

/// A request with a value put somewhere; null takes it away.
fn changed(mut request: Value, at: &str, put: &Value) -> Value {
    let (parent, last) = at.rsplit_once('/').expect("a pointer");
    match request
        .pointer_mut(parent)
        .expect("the parent of the value")
    {
        Value::Array(items) => items[last.parse::<usize>().expect("a place")] = put.clone(),
        parent => parent[last] = put.clone(),
    }
    request
}

/// The code and message that a request is answered with.
fn answer(name: &str, request: &Value) -> Option<(&'static str, String)> {
    let operation = operation(name).expect("an operation of the model");
    let error = validate(operation, request).err()?;
    Some((error.code(), error.to_string()))
}

#[test]
fn well_formed_requests_pass() {
    for WellFormed { operation, request } in Requests::read().well_formed {
        assert_eq!(answer(&operation, &request), None, "{operation} {request}");
    }
}

#[test]
fn malformed_requests_are_answered_in_the_words_of_aws() {
    let requests = Requests::read();
    assert!(requests.malformed.len() >= 40);
    for malformed in &requests.malformed {
        let request = requests.request(malformed);
        let (code, message) = answer(&malformed.operation, &request).expect("an error");
        assert_eq!(message, malformed.message, "{request}");
        assert_eq!(code, malformed.code, "{request}");
    }
}
