//! Numbers: whole, or with a fraction or an exponent.

use super::error::Problem;
use super::parser::{Cursor, error};
use super::{LiteralError, Value};

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Value, LiteralError> {
    let at = cursor.position();
    let written = cursor.take_while(|letter| letter.is_alphanumeric() || "+-._".contains(letter));
    let fail = |problem: fn(String) -> Problem| Err(error(at, problem(written.to_owned())));
    if !is_number(written) {
        return fail(Problem::Number);
    }
    if !written.contains(['.', 'e', 'E']) {
        return match written.parse() {
            Ok(integer) => Ok(Value::Integer(integer)),
            Err(_) => fail(Problem::TooLarge),
        };
    }
    match written.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(Value::Float(float)),
        _ => fail(Problem::TooLarge),
    }
}

/// A sign, digits with at most one point among them, and perhaps an exponent.
fn is_number(written: &str) -> bool {
    let unsigned = written.strip_prefix(['+', '-']).unwrap_or(written);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_is_sound = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    has_digits && digits(whole) && digits(fraction) && exponent_is_sound
}
