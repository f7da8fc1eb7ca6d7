//! Deletions of many objects of which the caller may delete only some: the
//! others are said to be denied in the same answer.

use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use kiln_s3::DeniedKeys;
use reqwest::Response;
use s3s::{S3Error, S3Result};

use super::answer;
use crate::reply::{Reply, plain};

const START: &str = "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
const END: &str = "</DeleteResult>";

/// The answer when nothing may be deleted.
pub(super) fn all_denied(denied: &DeniedKeys) -> Reply {
    let mut reply = plain(StatusCode::OK, with_errors("", denied));
    let xml = http::HeaderValue::from_static("application/xml");
    reply.headers_mut().insert(CONTENT_TYPE, xml);
    reply
}

/// The store's answer about what may be deleted, and what is said of the rest.
///
/// # Errors
/// When the answer breaks off.
pub(super) async fn with_denied(response: Response, denied: &DeniedKeys) -> S3Result<Reply> {
    if !response.status().is_success() {
        return Ok(answer::pass_on(response));
    }
    let (mut parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    let read = body.collect().await.map_err(S3Error::internal_error)?;
    let text = String::from_utf8_lossy(&read.to_bytes()).into_owned();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(http::header::TRANSFER_ENCODING);
    let body = Full::new(with_errors(&text, denied).into());
    let body = body.map_err(|never| match never {}).boxed_unsync();
    Ok(Reply::from_parts(parts, body))
}

/// A result with errors behind what it has.
fn with_errors(result: &str, denied: &DeniedKeys) -> String {
    let errors: String = denied.0.iter().map(|key| error(key)).collect();
    match result.rfind(END) {
        Some(end) => format!("{}{errors}{}", &result[..end], &result[end..]),
        // One that has nothing may be a single tag.
        None => format!("{START}{errors}{END}"),
    }
}

fn error(key: &str) -> String {
    format!(
        "<Error><Key>{}</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
        quick_xml::escape::escape(key)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_stand_behind_what_was_done() {
        let denied = DeniedKeys(vec!["a&b".to_owned()]);
        let error = "<Error><Key>a&amp;b</Key><Code>AccessDenied</Code>\
                     <Message>Access Denied</Message></Error>";
        let done = "<DeleteResult><Deleted><Key>k</Key></Deleted>";
        let cases = [
            (format!("{done}{END}"), format!("{done}{error}{END}")),
            ("<DeleteResult/>".to_owned(), format!("{START}{error}{END}")),
            (String::new(), format!("{START}{error}{END}")),
        ];
        for (result, expected) in cases {
            assert_eq!(with_errors(&result, &denied), expected);
        }
    }
}
