//! Conditional requests: whether an object is in the state that a request
//! wants it to be in, by the order of precedence of RFC 9110 §13.2.2.

use kiln_store::objects::{Object, Precondition};
use s3s::S3ErrorCode;
use s3s::dto::{ETagCondition, Timestamp};

use crate::S3Error;
use crate::wire;

/// The four conditions that a read may carry.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    /// `If-Match`.
    pub(crate) matches: Option<ETagCondition>,
    /// `If-None-Match`.
    pub(crate) none_match: Option<ETagCondition>,
    /// `If-Modified-Since`.
    pub(crate) modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`.
    pub(crate) unmodified_since: Option<Timestamp>,
}

/// What the conditions say of an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Holds,
    /// The client has this state already.
    NotModified,
    /// The object is not as it should be.
    Failed,
}

impl Conditions {
    /// Judges the object.
    pub(crate) fn judge(&self, object: &Object) -> Verdict {
        let seconds = object.modified_ms.div_euclid(1000);
        let since = |time: &Timestamp| wire::millis(time).div_euclid(1000);
        let expected = match (&self.matches, &self.unmodified_since) {
            (Some(tag), _) => names(tag, &object.etag),
            (None, Some(time)) => seconds <= since(time),
            (None, None) => true,
        };
        if !expected {
            return Verdict::Failed;
        }
        let new = match (&self.none_match, &self.modified_since) {
            (Some(tag), _) => !names(tag, &object.etag),
            (None, Some(time)) => seconds > since(time),
            (None, None) => true,
        };
        if new {
            Verdict::Holds
        } else {
            Verdict::NotModified
        }
    }

    /// Refuses a read whose conditions do not hold.
    pub(crate) fn require(&self, object: &Object) -> Result<(), S3Error> {
        match self.judge(object) {
            Verdict::Holds => Ok(()),
            Verdict::NotModified => Err(S3Error::refused(S3ErrorCode::NotModified, "Not Modified")),
            Verdict::Failed => Err(failed()),
        }
    }

    /// Refuses a copy whose conditions do not hold of the source.
    pub(crate) fn require_of_source(&self, object: &Object) -> Result<(), S3Error> {
        match self.judge(object) {
            Verdict::Holds => Ok(()),
            Verdict::NotModified | Verdict::Failed => Err(failed()),
        }
    }
}

fn failed() -> S3Error {
    S3Error::refused(
        S3ErrorCode::PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold",
    )
}

fn names(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    }
}

/// The condition of a write.
pub(crate) fn precondition(
    matches: Option<ETagCondition>,
    none_match: Option<ETagCondition>,
) -> Result<Precondition, S3Error> {
    match (matches, none_match) {
        (None, None) => Ok(Precondition::None),
        (None, Some(ETagCondition::Any)) => Ok(Precondition::Absent),
        (Some(ETagCondition::Any), None) => Ok(Precondition::Present),
        (Some(ETagCondition::ETag(tag)), None) => Ok(Precondition::Tag(tag.into_value())),
        _ => Err(S3Error::not_implemented(
            "this combination of If-Match and If-None-Match on a write",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::dto::ETag;

    const MODIFIED_MS: i64 = 1_700_000_000_500;

    fn tag(value: &str) -> Option<ETagCondition> {
        match value {
            "" => None,
            "*" => Some(ETagCondition::Any),
            other => Some(ETagCondition::ETag(ETag::Strong(other.to_owned()))),
        }
    }

    fn time(offset_seconds: i64) -> Option<Timestamp> {
        (offset_seconds != 99).then(|| wire::timestamp(MODIFIED_MS - 500 + offset_seconds * 1000))
    }

    #[test]
    fn conditions_hold_in_their_order() {
        use Verdict::{Failed, Holds, NotModified};
        // (If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, verdict);
        // times are seconds from the object's, 99 for none.
        let cases = [
            ("", "", 99, 99, Holds),
            ("e", "", 99, 99, Holds),
            ("*", "", 99, 99, Holds),
            ("x", "", 99, 99, Failed),
            ("", "e", 99, 99, NotModified),
            ("", "*", 99, 99, NotModified),
            ("", "x", 99, 99, Holds),
            ("", "", 0, 99, NotModified),
            ("", "", -1, 99, Holds),
            ("", "", 99, 0, Holds),
            ("", "", 99, -1, Failed),
            // A tag outweighs a time.
            ("e", "", 99, -1, Holds),
            ("", "x", 0, 99, Holds),
            ("", "e", -1, 99, NotModified),
            // What fails outweighs what is not modified.
            ("x", "e", 99, 99, Failed),
        ];
        let object = Object {
            body: String::new(),
            size: 0,
            etag: "e".to_owned(),
            modified_ms: MODIFIED_MS,
            details: Default::default(),
        };
        for (matches, none_match, modified, unmodified, verdict) in cases {
            let conditions = Conditions {
                matches: tag(matches),
                none_match: tag(none_match),
                modified_since: time(modified),
                unmodified_since: time(unmodified),
            };
            assert_eq!(conditions.judge(&object), verdict, "{conditions:?}");
        }
    }

    #[test]
    fn writes_take_one_condition() {
        assert_eq!(precondition(None, None).unwrap(), Precondition::None);
        assert_eq!(precondition(None, tag("*")).unwrap(), Precondition::Absent);
        assert_eq!(precondition(tag("*"), None).unwrap(), Precondition::Present);
        assert_eq!(
            precondition(tag("e"), None).unwrap(),
            Precondition::Tag("e".to_owned())
        );
        assert!(precondition(None, tag("e")).is_err());
        assert!(precondition(tag("e"), tag("*")).is_err());
    }
}
