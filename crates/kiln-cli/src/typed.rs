//! Texts of shorthand as the values that the model says they are.

use crate::model::{Kind, Shape, shape};
use crate::value::{Members, Value};

/// Makes of texts what the model says that they are.
pub(crate) fn typed(value: Value, shape_of: &Shape) -> Result<Value, String> {
    Ok(match (&shape_of.kind, value) {
        (Kind::Structure { .. }, Value::Map(members)) => {
            let mut out = Members::default();
            for (name, value) in members.0 {
                let value = match shape_of.member(&name) {
                    Some(shape_of) => typed(value, shape_of)?,
                    None => value,
                };
                out.set(name, value);
            }
            Value::Map(out)
        }
        (Kind::Map { value: of, .. }, Value::Map(members)) => {
            let mut out = Members::default();
            for (name, value) in members.0 {
                out.set(name, typed(value, shape(*of))?);
            }
            Value::Map(out)
        }
        (Kind::List(of), Value::List(items)) => {
            let items = items.into_iter().map(|item| typed(item, shape(*of)));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        // `foo=bar` where a list of one is meant. It is taken as it stands.
        (Kind::List(_), value) => Value::List(vec![value]),
        (Kind::Integer | Kind::Long, Value::Text(text)) => {
            let number = text.trim().parse().map(Value::Integer);
            number.map_err(|_| {
                let text = crate::python::quoted(&text);
                format!("invalid literal for int() with base 10: {text}")
            })?
        }
        (Kind::Float, Value::Text(text)) => {
            let number = text.trim().parse().map(Value::Float);
            number.map_err(|_| {
                let text = crate::python::quoted(&text);
                format!("could not convert string to float: {text}")
            })?
        }
        (Kind::Boolean, Value::Text(text)) => match text.to_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::Text(text),
        },
        (_, value) => value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json, model};

    #[test]
    fn texts_become_what_the_model_says() {
        let create = model::by_name("CreateTrainingJob").unwrap();
        let input = shape(create.input);
        for (text, expected) in [
            (
                r#"{"StoppingCondition": {"MaxRuntimeInSeconds": "5"}}"#,
                r#"{"StoppingCondition":{"MaxRuntimeInSeconds":5}}"#,
            ),
            (
                r#"{"EnableNetworkIsolation": "TRUE"}"#,
                r#"{"EnableNetworkIsolation":true}"#,
            ),
            (
                r#"{"VpcConfig": {"Subnets": "a"}}"#,
                r#"{"VpcConfig":{"Subnets":["a"]}}"#,
            ),
            (r#"{"Unknown": "5"}"#, r#"{"Unknown":"5"}"#),
        ] {
            let value = typed(json::parse(text).unwrap(), input).unwrap();
            assert_eq!(json::compact(&value), expected);
        }
    }
}
