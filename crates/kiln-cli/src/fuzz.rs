//! Fuzz targets for what people and services write.

use crate::query::Query;
use crate::value::{Members, Value};
use crate::{answer, json, model, parameters, shorthand, validate, yaml};

/// Nothing breaks the reader, and what it reads is read the same once written.
#[test]
fn json_texts() {
    bolero::check!()
        .with_type::<String>()
        .for_each(|text| match json::parse(text) {
            Ok(value) => assert_eq!(json::parse(&json::compact(&value)), Ok(value)),
            Err(reason) => assert!(!reason.is_empty()),
        });
}

#[test]
fn yaml_texts() {
    bolero::check!().with_type::<String>().for_each(|text| {
        if let Ok(value) = yaml::parse(text) {
            yaml::write(&value);
        }
        // A text is read as it was written; what stands alone is JSON.
        let value = Value::List(vec![Value::Text(text.clone())]);
        assert_eq!(yaml::parse(&yaml::write(&value)), Ok(value));
    });
}

#[test]
fn shorthand_texts() {
    bolero::check!().with_type::<String>().for_each(|text| {
        let _ = shorthand::parse(text);
        let _ = shorthand::parse(&format!("A={text}"));
    });
}

/// Any expression, applied to any value.
#[test]
fn queries() {
    bolero::check!()
        .with_type::<(String, String)>()
        .for_each(|(expression, text)| {
            let value = json::parse(text).or_else(|_| json::parse(r#"{"a": [1, {"b": "c"}]}"#));
            if let (Ok(query), Ok(value)) = (Query::parse(expression), value) {
                let _ = query.search(&value);
            }
        });
}

/// Any text as the value of any option, and the request that comes of it.
#[test]
fn values_of_options() {
    let operation = model::by_name("CreateTrainingJob").unwrap();
    bolero::check!()
        .with_type::<(u8, Vec<String>)>()
        .for_each(|(member, words)| {
            let words: Vec<String> = words.iter().map(|word| word.replace("://", "")).collect();
            let members = operation.members();
            let (name, number) = members[usize::from(*member) % members.len()];
            let shape = model::shape(number);
            if let Ok(value) = parameters::value(&parameters::option(name), &words, shape) {
                let request = Members(vec![(name.to_owned(), value)]);
                let _ = validate::request(operation, request);
            }
        });
}

/// Any bytes as an answer.
#[test]
fn answers() {
    let operation = model::by_name("DescribeTrainingJob").unwrap();
    bolero::check!().with_type::<Vec<u8>>().for_each(|body| {
        let _ = answer::output(operation, body, answer::Timestamps::Iso8601);
        let _ = answer::refusal(400, body);
    });
}
