//! The options of an operation, made from the model, and the request that they
//! add up to.

use crate::failure::Failure;
use crate::flags::{Flag, Parsed, Takes};
use crate::globals::not_whole;
use crate::json;
use crate::model::{Kind, Operation, Shape, hyphenated, shape};
use crate::paginate;
use crate::paramfile;
use crate::python;
use crate::shorthand::{self, ShorthandError};
use crate::typed::typed;
use crate::value::{Members, Value};
use crate::yaml;

const INPUT_JSON: &str = "--cli-input-json";
const INPUT_YAML: &str = "--cli-input-yaml";
/// The option that asks for a skeleton.
pub(crate) const SKELETON: &str = "--generate-cli-skeleton";

/// The options of an operation. Given the arguments, it is known whether what is
/// otherwise required may be missing.
pub(crate) fn flags(operation: &Operation, arguments: &[String]) -> Vec<Flag> {
    let optional = may_be_missing(arguments);
    let mut flags = Vec::new();
    for (name, number) in operation.members() {
        let option = option(name);
        let takes = match shape(*number).kind {
            Kind::Boolean => {
                flags.push(Flag::new(option, Takes::Nothing));
                flags.push(Flag::new(negative(name), Takes::Nothing));
                continue;
            }
            Kind::List(_) => Takes::Words,
            Kind::Long => Takes::Whole,
            Kind::Float => Takes::Number,
            _ => Takes::Word,
        };
        let required = operation.required().contains(name) && !optional;
        flags.push(Flag {
            required,
            ..Flag::new(option, takes)
        });
    }
    flags.push(Flag::new(INPUT_JSON, Takes::Word));
    flags.push(Flag::new(INPUT_YAML, Takes::Word));
    if paginate::result_key(operation.name).is_some() {
        flags.push(Flag::new("--starting-token", Takes::Word));
        flags.push(Flag::new("--page-size", Takes::Whole));
        flags.push(Flag::new("--max-items", Takes::Whole));
    }
    let kinds = Takes::ChoiceOrNothing(&["input", "yaml-input", "output"]);
    flags.push(Flag::new(SKELETON, kinds));
    flags
}

/// The option of a member.
pub(crate) fn option(member: &str) -> String {
    format!("--{}", hyphenated(member))
}

fn negative(member: &str) -> String {
    format!("--no-{}", hyphenated(member))
}

/// The rest of a request may be in a file, and a skeleton of it needs nothing.
fn may_be_missing(arguments: &[String]) -> bool {
    let given = |name: &str| arguments.iter().position(|argument| argument == name);
    let skeleton = given(SKELETON).map(|place| arguments.get(place + 1));
    given(INPUT_JSON).is_some()
        || given(INPUT_YAML).is_some()
        || skeleton.is_some_and(|kind| kind.is_none_or(|kind| kind != "output"))
}

/// The request that the options add up to. They go before what a file says.
pub(crate) fn request(operation: &Operation, parsed: &Parsed) -> Result<Members, Failure> {
    let mut request = Members::default();
    for (name, number) in operation.members() {
        let (option, shape_of) = (option(name), shape(*number));
        if let Kind::Boolean = shape_of.kind {
            if let Some(last) = parsed.last_of([&option, &negative(name)]) {
                request.set(*name, Value::Bool(last == option));
            }
        } else if let Some(words) = parsed.words(&option) {
            request.set(*name, value(&option, words, shape_of)?);
        }
    }
    for (name, value) in from_file(parsed)?.0 {
        if request.get(&name).is_none() {
            request.set(name, value);
        }
    }
    Ok(request)
}

fn from_file(parsed: &Parsed) -> Result<Members, Failure> {
    let (option, text) = match (parsed.word(INPUT_JSON), parsed.word(INPUT_YAML)) {
        (None, None) => return Ok(Members::default()),
        (Some(text), None) => (INPUT_JSON, text),
        (None, Some(text)) => (INPUT_YAML, text),
        (Some(_), Some(_)) => {
            return Err(Failure::Parameter(
                "Only one --cli-input- parameter may be specified.".to_owned(),
            ));
        }
    };
    let loaded = paramfile::load(text).map_err(|reason| Failure::parsing(option, reason))?;
    let text = loaded.unwrap_or_else(|| text.to_owned());
    let name = option.trim_start_matches('-');
    let value = if option == INPUT_JSON {
        let invalid = |reason| format!("Invalid JSON: {reason}\nJSON received: {text}");
        json::parse(&text).map_err(|reason| Failure::parsing(name, invalid(reason)))?
    } else {
        yaml::parse(&text).map_err(|_| Failure::parsing(name, "Invalid YAML received."))?
    };
    match value {
        Value::Map(members) => Ok(members),
        other => Err(Failure::parsing(
            option,
            format!(
                "Invalid type: expecting map, received <class '{}'>",
                python::type_name(&other)
            ),
        )),
    }
}

/// The value that the words after an option stand for.
pub(crate) fn value(option: &str, words: &[String], shape_of: &Shape) -> Result<Value, Failure> {
    if let [word] = words {
        let loaded = paramfile::load(word).map_err(|reason| Failure::parsing(option, reason))?;
        if let Some(text) = loaded {
            return one(option, &text, shape_of);
        }
        if !matches!(shape_of.kind, Kind::List(_)) {
            return one(option, word, shape_of);
        }
    }
    several(option, words, shape_of)
}

/// A value given as one text: a scalar, shorthand or JSON.
fn one(option: &str, text: &str, shape_of: &Shape) -> Result<Value, Failure> {
    if is_shorthand(text, shape_of) {
        return shorthand_value(option, text, shape_of);
    }
    let begins = |bracket| text.trim_start().starts_with(bracket);
    match shape_of.kind {
        Kind::Structure { .. } | Kind::Map { .. } if begins('{') => json_value(option, text),
        Kind::List(_) if begins('[') => json_value(option, text),
        Kind::List(_) => several(option, &[text.to_owned()], shape_of),
        Kind::Structure { .. } | Kind::Map { .. } => {
            Err(Failure::parsing(option, format!("Invalid JSON:\n{text}")))
        }
        _ => scalar(text, shape_of),
    }
}

/// The items of a list, one to a word, or the whole list as JSON.
fn several(option: &str, words: &[String], shape_of: &Shape) -> Result<Value, Failure> {
    let Kind::List(item) = shape_of.kind else {
        return one(option, words.first().map_or("", String::as_str), shape_of);
    };
    let item = shape(item);
    let first = words.first().map_or("", |word| word.trim());
    if item.is_complex() && is_shorthand(first, shape_of) {
        let parsed = words.iter().map(|word| shorthand::parse(word));
        let parsed = parsed.collect::<Result<_, _>>();
        let parsed = parsed.map_err(|error| refused(option, &error))?;
        return typed(Value::List(parsed), shape_of).map_err(Failure::Parameter);
    }
    if words.len() == 1 && first.starts_with('[') {
        return json_value(option, &words[0]);
    }
    let items = words.iter().map(|word| {
        if item.is_complex() {
            one_of_json(option, word, item)
        } else {
            let first = &words[0];
            scalar(word, item).map_err(|_| Failure::parsing(option, first))
        }
    });
    Ok(Value::List(items.collect::<Result<_, _>>()?))
}

/// An item among items that are JSON must be JSON too.
fn one_of_json(option: &str, word: &str, item: &Shape) -> Result<Value, Failure> {
    let bracket = if matches!(item.kind, Kind::List(_)) {
        '['
    } else {
        '{'
    };
    if word.trim_start().starts_with(bracket) {
        json_value(option, word)
    } else {
        Err(Failure::parsing(option, format!("Invalid JSON:\n{word}")))
    }
}

/// Whether a text for a structured value is shorthand, and not JSON.
fn is_shorthand(text: &str, shape_of: &Shape) -> bool {
    let supports = match shape_of.kind {
        Kind::List(item) => shape(item).is_complex(),
        _ => shape_of.is_complex(),
    };
    supports && !text.trim_start().starts_with(['[', '{'])
}

fn shorthand_value(option: &str, text: &str, shape_of: &Shape) -> Result<Value, Failure> {
    let parsed = shorthand::parse(text).map_err(|error| refused(option, &error))?;
    typed(parsed, shape_of).map_err(Failure::Parameter)
}

fn refused(option: &str, error: &ShorthandError) -> Failure {
    Failure::parsing(option, error)
}

fn json_value(option: &str, text: &str) -> Result<Value, Failure> {
    json::parse(text).map_err(|reason| {
        let reason = format!("Invalid JSON: {reason}\nJSON received: {text}");
        Failure::parsing(option, reason)
    })
}

fn scalar(text: &str, shape_of: &Shape) -> Result<Value, Failure> {
    Ok(match shape_of.kind {
        Kind::Integer | Kind::Long => {
            let number = text.trim().parse().map(Value::Integer);
            number.map_err(|_| not_whole(text))?
        }
        Kind::Float => {
            let number = text.trim().parse().map(Value::Float);
            number.map_err(|_| {
                let text = crate::python::quoted(text);
                Failure::General(format!("could not convert string to float: {text}"))
            })?
        }
        Kind::Boolean => Value::Bool(!text.eq_ignore_ascii_case("false") && !text.is_empty()),
        _ => Value::text(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parse;
    use crate::model;

    fn read(command: &str, words: &[&str]) -> Result<String, Failure> {
        let operation = model::by_command(command).unwrap();
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let parsed = parse(&flags(operation, &words), &words)?;
        request(operation, &parsed).map(|members| json::compact(&Value::Map(members)))
    }

    #[test]
    fn options_add_up_to_a_request() {
        for (words, expected) in [
            (
                &["--tags", "Key=a,Value=b", "Key=c,Value="][..],
                r#"{"Tags":[{"Key":"a","Value":"b"},{"Key":"c","Value":""}]}"#,
            ),
            (
                &["--tags", r#"[{"Key": "a"}]"#],
                r#"{"Tags":[{"Key":"a"}]}"#,
            ),
            (
                &[
                    "--resource-config",
                    "InstanceCount=2,InstanceType=ml.m5.large",
                ],
                r#"{"ResourceConfig":{"InstanceCount":2,"InstanceType":"ml.m5.large"}}"#,
            ),
            (
                &[
                    "--enable-network-isolation",
                    "--no-enable-network-isolation",
                ],
                r#"{"EnableNetworkIsolation":false}"#,
            ),
            (
                &["--hyper-parameters", "epochs=3,lr=0.1"],
                r#"{"HyperParameters":{"epochs":"3","lr":"0.1"}}"#,
            ),
            (
                &[
                    "--cli-input-json",
                    r#"{"RoleArn": "r", "TrainingJobName": "a"}"#,
                    "--role-arn",
                    "s",
                ],
                r#"{"RoleArn":"s","TrainingJobName":"a"}"#,
            ),
            (
                &[
                    "--cli-input-yaml",
                    "Tags:\n- Key: a\n  Value: '1'\nTrainingJobName: b",
                ],
                r#"{"Tags":[{"Key":"a","Value":"1"}],"TrainingJobName":"b"}"#,
            ),
        ] {
            assert_eq!(read("create-training-job", words).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (words, expected) in [
            (&["--resource-config", "[1]"][..], "Invalid JSON:\n[1]"),
            (&["--tags", "{}", "Key=a"], "Invalid JSON:\nKey=a"),
            (
                &["--stopping-condition", "MaxRuntimeInSeconds=abc"],
                "invalid literal for int()",
            ),
            (
                &["--cli-input-json", "[1]"],
                "expecting map, received <class 'list'>",
            ),
        ] {
            let said = read("create-training-job", words).unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        }
    }
}
