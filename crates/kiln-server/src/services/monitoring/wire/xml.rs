//! XML, which answers to forms are written in.

use std::fmt::Write;

use quick_xml::escape::escape;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::services::monitoring::answer::Answer;

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

pub(super) fn write(operation: &str, answer: Option<&Answer>) -> String {
    let mut result = String::new();
    if let Some(answer) = answer {
        element(&mut result, &format!("{operation}Result"), answer);
    }
    format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata><RequestId>{}\
         </RequestId></ResponseMetadata></{operation}Response>",
        uuid::Uuid::new_v4()
    )
}

fn element(out: &mut String, name: &str, answer: &Answer) {
    // Writing to a string does not fail.
    let _ = write!(out, "<{name}>");
    match answer {
        Answer::Text(text) => out.push_str(&escape(allowed(text).as_str())),
        Answer::Number(number) => {
            let _ = write!(out, "{number:?}");
        }
        Answer::Time(seconds) => out.push_str(&time(*seconds)),
        Answer::List(items) => {
            for item in items {
                element(out, "member", item);
            }
        }
        Answer::Map(entries) => {
            for (key, value) in entries {
                out.push_str("<entry>");
                element(out, "key", &Answer::text(key));
                element(out, "value", value);
                out.push_str("</entry>");
            }
        }
        Answer::Structure(members) => {
            for (name, value) in members {
                element(out, name, value);
            }
        }
    }
    let _ = write!(out, "</{name}>");
}

/// XML has no way to write most control characters, which metrics of jobs may have
/// in their names.
fn allowed(text: &str) -> String {
    let forbidden = |one: char| one.is_control() && !matches!(one, '\t' | '\n' | '\r');
    text.replace(forbidden, "\u{fffd}")
}

fn time(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds);
    let written = time.ok().and_then(|time| time.format(&Rfc3339).ok());
    written.unwrap_or_default()
}
