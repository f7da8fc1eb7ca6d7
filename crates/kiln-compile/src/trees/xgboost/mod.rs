//! XGBoost's models, in each form that its versions have written: JSON,
//! UBJSON, and the binary one from before them.

mod document;
mod leaves;
mod legacy;
mod objective;
mod scalars;
mod ubjson;

use super::{Ensemble, TreesError};

/// A Python program, for an environment that has XGBoost, that makes of a
/// pickled booster a file that [`read`] takes.
pub const EXPORTER: &str = include_str!("../../../exporters/xgboost_booster.py");

/// Reads what `save_model` wrote, in whichever form it is.
pub fn read(bytes: &[u8]) -> Result<Ensemble, TreesError> {
    match form(bytes) {
        Form::Json => document::read_json(bytes),
        Form::Ubjson => document::read_ubjson(bytes),
        Form::Legacy => legacy::read(bytes),
        Form::Pickle => Err(TreesError::unsupported("a pickled XGBoost object")),
    }
}

enum Form {
    Json,
    Ubjson,
    Legacy,
    Pickle,
}

fn form(bytes: &[u8]) -> Form {
    match bytes {
        [b'{', b'"' | b'}' | b' ' | b'\n' | b'\r' | b'\t', ..] => Form::Json,
        [b'{', ..] => Form::Ubjson,
        [0x80, 2..=5, ..] => Form::Pickle,
        _ => Form::Legacy,
    }
}
