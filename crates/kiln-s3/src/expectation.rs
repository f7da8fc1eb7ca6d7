//! Uploads that ask for `100 Continue` and get their answer instead.
//!
//! botocore remembers the status line of such an answer and takes it for the
//! first line of the next one on the same connection, which it then waits for
//! until it times out. S3 itself hangs up after such an answer; so do we.

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue};
use s3s::{S3Error, S3Response, S3Result};

/// Whether an upload is one that may be answered in place of `100 Continue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// It does not wait.
    None,
    /// It waits before its body, which only an error forestalls.
    BeforeBody,
    /// It waits and has no body, so it is always answered at once.
    NoBody,
}

impl Expectation {
    /// What the headers say of it.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if !headers.contains_key(EXPECT) {
            return Self::None;
        }
        let empty = match headers.get(CONTENT_LENGTH) {
            Some(length) => length == "0",
            None => !headers.contains_key(TRANSFER_ENCODING),
        };
        if empty {
            Self::NoBody
        } else {
            Self::BeforeBody
        }
    }

    /// Has the connection closed behind an answer that came too early.
    pub(crate) fn meet<T>(self, outcome: S3Result<S3Response<T>>) -> S3Result<S3Response<T>> {
        match outcome {
            Ok(mut response) => {
                if self == Self::NoBody {
                    response.headers.extend(hang_up());
                }
                Ok(response)
            }
            Err(error) => Err(self.refuse(error)),
        }
    }

    /// Has the connection closed behind an error.
    pub(crate) fn refuse(self, mut error: S3Error) -> S3Error {
        if self != Self::None {
            error.set_headers(hang_up());
        }
        error
    }
}

fn hang_up() -> HeaderMap {
    HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("close"))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uploads_that_wait_are_hung_up_on() {
        let of = |pairs: &[(http::HeaderName, &'static str)]| {
            let pairs = pairs.iter();
            let headers = pairs.map(|(name, value)| (name.clone(), value.parse().unwrap()));
            Expectation::of(&headers.collect())
        };
        assert_eq!(of(&[(CONTENT_LENGTH, "0")]), Expectation::None);
        let waits = (EXPECT, "100-continue");
        assert_eq!(
            of(&[waits.clone(), (CONTENT_LENGTH, "0")]),
            Expectation::NoBody
        );
        assert_eq!(of(std::slice::from_ref(&waits)), Expectation::NoBody);
        let chunked = (TRANSFER_ENCODING, "chunked");
        assert_eq!(of(&[waits.clone(), chunked]), Expectation::BeforeBody);
        assert_eq!(of(&[waits, (CONTENT_LENGTH, "7")]), Expectation::BeforeBody);
    }

    #[test]
    fn answers_in_place_of_continue_close_the_connection() {
        let closes = |expectation: Expectation, failed: bool| {
            let outcome = if failed {
                Err(S3Error::new(s3s::S3ErrorCode::AccessDenied))
            } else {
                Ok(S3Response::new(()))
            };
            match expectation.meet(outcome) {
                Ok(response) => response.headers.contains_key(CONNECTION),
                Err(error) => error
                    .headers()
                    .is_some_and(|headers| headers.contains_key(CONNECTION)),
            }
        };
        assert!(!closes(Expectation::None, false) && !closes(Expectation::None, true));
        assert!(!closes(Expectation::BeforeBody, false) && closes(Expectation::BeforeBody, true));
        assert!(closes(Expectation::NoBody, false) && closes(Expectation::NoBody, true));
    }
}
