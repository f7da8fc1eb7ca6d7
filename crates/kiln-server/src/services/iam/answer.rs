//! IAM's answers, as XML.

use std::fmt::Write;

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Fault, Request};
use crate::reply::{Reply, xml};

/// How many results a page has when the request does not say.
const USUAL_PAGE: usize = 100;
/// How many it has at most.
const LONGEST_PAGE: usize = 1000;

/// What is said in an answer.
pub(super) enum Answer {
    /// That it is done.
    Nothing,
    /// The inside of the result.
    Result(String),
}

pub(super) fn reply(operation: &str, answer: Answer) -> Reply {
    let result = match answer {
        Answer::Nothing => String::new(),
        Answer::Result(inner) => element(&format!("{operation}Result"), &inner),
    };
    xml(format!(
        "<{operation}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">{result}\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>",
        uuid::Uuid::new_v4()
    ))
}

/// An element with others inside.
pub(super) fn element(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// An element with text inside.
pub(super) fn text(name: &str, text: &str) -> String {
    element(name, &quick_xml::escape::escape(text))
}

/// A policy document: IAM encodes them as in a URL.
pub(super) fn document(name: &str, document: &str) -> String {
    element(
        name,
        &utf8_percent_encode(document, NON_ALPHANUMERIC).to_string(),
    )
}

/// An instant of epoch milliseconds, to the second.
pub(super) fn instant(name: &str, millis: i64) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let instant = OffsetDateTime::from_unix_timestamp(millis / 1000).ok();
    let written = instant.and_then(|instant| instant.format(form).ok());
    element(name, &written.unwrap_or_default())
}

/// Tags, if there are any.
pub(super) fn tag_list(tags: &[(String, String)]) -> String {
    let members: Vec<String> = tags
        .iter()
        .map(|(key, value)| text("Key", key) + &text("Value", value))
        .collect();
    match members.is_empty() {
        true => String::new(),
        false => list("Tags", &members),
    }
}

/// All members of a list.
pub(super) fn list(name: &str, members: &[String]) -> String {
    let members: String = members.iter().map(|one| element("member", one)).collect();
    element(name, &members)
}

/// A page of a list, as the request asks for it.
pub(super) fn page(request: &Request<'_>, name: &str, all: &[String]) -> Result<Answer, Fault> {
    let page = Page::asked_by(request)?;
    Ok(Answer::Result(
        page.of(name, all.len(), |index| all[index].clone()),
    ))
}

/// Which members of a list are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    start: usize,
    length: usize,
}

impl Page {
    pub(super) fn asked_by(request: &Request<'_>) -> Result<Self, Fault> {
        let start = request.parameter("Marker").map_or(Ok(0), |marker| {
            let unknown = || Fault::new("InvalidInput", format!("Invalid Marker: {marker}"));
            marker.parse().map_err(|_| unknown())
        })?;
        let length = request
            .parameter("MaxItems")
            .and_then(|items| items.parse().ok())
            .map_or(USUAL_PAGE, |items: usize| items.clamp(1, LONGEST_PAGE));
        Ok(Self { start, length })
    }

    /// A page of so many members, of which only those that it shows are made.
    pub(super) fn of(self, name: &str, count: usize, member: impl Fn(usize) -> String) -> String {
        let end = self.start.saturating_add(self.length).min(count);
        let shown: Vec<String> = (self.start..end).map(member).collect();
        let mut inner = list(name, &shown);
        let more = end < count;
        // Writing to a string does not fail.
        let _ = write!(inner, "<IsTruncated>{more}</IsTruncated>");
        if more {
            inner += &text("Marker", &end.to_string());
        }
        inner
    }
}

/// That something is not there.
pub(super) fn missing(message: &str) -> Fault {
    Fault::new("NoSuchEntity", message).with_status(StatusCode::NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_on_one_page() {
        let all: Vec<String> = (0..6).map(|number| format!("<{number}>")).collect();
        let cases = [
            (0, 4, "<0><1><2><3>", Some("4")),
            (4, 4, "<4><5>", None),
            (8, 4, "", None),
            (0, 6, "<0><1><2><3><4><5>", None),
        ];
        for (start, length, members, marker) in cases {
            let page = Page { start, length }.of("L", all.len(), |index| all[index].clone());
            let shown = page.replace("<member>", "").replace("</member>", "");
            assert!(shown.starts_with(&format!("<L>{members}</L>")), "{page}");
            let more = format!("<IsTruncated>{}</IsTruncated>", marker.is_some());
            assert!(page.contains(&more), "{page}");
            let marker = marker.map(|marker| format!("<Marker>{marker}</Marker>"));
            assert!(page.ends_with(&marker.unwrap_or(more)), "{page}");
        }
    }

    #[test]
    fn answers_are_written_as_iam_writes_them() {
        assert_eq!(text("A", "a<b&"), "<A>a&lt;b&amp;</A>");
        assert_eq!(instant("At", 1_500), "<At>1970-01-01T00:00:01Z</At>");
        assert_eq!(document("D", "{\"a\": 1}"), "<D>%7B%22a%22%3A%201%7D</D>");
    }
}
