//! The time of day, as jobs are told it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kiln_model::Timestamp;

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    instant(since.as_millis() as i64)
}

/// An instant that a clock has shown; one before 1970 or after 9999 is taken
/// for 1970.
pub(crate) fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap_or_else(|_| UNIX_EPOCH.into())
}

/// How long it is until then.
pub(crate) fn until(deadline: Timestamp) -> Duration {
    let millis = deadline.millis().saturating_sub(now().millis());
    Duration::from_millis(millis.max(0).unsigned_abs())
}
