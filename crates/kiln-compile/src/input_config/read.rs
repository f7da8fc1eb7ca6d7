//! The whole of a `DataInputConfig`, in either of its forms.

use super::{Input, InputConfig, InputConfigError, Mistake, Rules, input};
use crate::literal::{self, Literal, Value};

/// Reads a `DataInputConfig`.
///
/// # Errors
///
/// The first thing that is wrong with it, and where.
pub fn read(text: &str, rules: Rules) -> Result<InputConfig, InputConfigError> {
    let literal = literal::parse(text)?;
    let inputs = match &literal.value {
        Value::Dictionary(entries) => entries
            .iter()
            .map(|entry| {
                if entry.key.is_empty() {
                    return Err(Mistake::Nameless.at(entry.at));
                }
                let subject = format!("input '{}'", entry.key);
                input::read(Some(entry.key.clone()), &subject, &entry.value, rules)
            })
            .collect::<Result<Vec<_>, _>>()?,
        Value::List(elements) if rules.list_form => listed(elements, &literal, rules)?,
        _ if rules.list_form => return Err(Mistake::NotACollection(literal.kind()).at(literal.at)),
        _ => return Err(Mistake::NotADictionary(literal.kind()).at(literal.at)),
    };
    match inputs.is_empty() {
        true => Err(Mistake::Empty.at(literal.at)),
        false => Ok(InputConfig { inputs }),
    }
}

/// Inputs by order. A list that holds sizes and no lists is the one shape of the
/// one input, as people forget the outer brackets.
fn listed(
    elements: &[Literal],
    whole: &Literal,
    rules: Rules,
) -> Result<Vec<Input>, InputConfigError> {
    let describes_input =
        |element: &Literal| matches!(element.value, Value::List(_) | Value::Dictionary(_));
    if !elements.is_empty() && !elements.iter().any(describes_input) {
        return Ok(vec![input::read(None, "input 0", whole, rules)?]);
    }
    elements
        .iter()
        .enumerate()
        .map(|(place, element)| input::read(None, &format!("input {place}"), element, rules))
        .collect()
}
