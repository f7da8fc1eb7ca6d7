//! How long groups keep their events: which lengths there are, and the task that
//! deletes what has expired.

use std::time::Duration;

use kiln_store::{LogGroup, LogStore, expiry};

use super::{constrained, invalid, now};
use crate::reply::Fault;

/// The lengths that the API knows, in days.
const LENGTHS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
/// How often it is looked for what has expired. Nobody sees it meanwhile.
const LOOK: Duration = Duration::from_secs(60);
/// Between one small deletion and the next, others write.
const BREATH: Duration = Duration::from_millis(20);

/// Deletes log events that have expired, or whose group or stream was deleted, for
/// as long as it is polled.
pub async fn keep_logs(logs: LogStore) {
    loop {
        let pause = match logs.sweep(now()).await {
            Ok(true) => BREATH,
            Ok(false) => LOOK,
            Err(error) => {
                tracing::warn!(%error, "old log events could not be deleted");
                LOOK
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// A length of retention, which must be one that the API knows.
pub(super) fn checked_days(days: Option<u32>) -> Result<u32, Fault> {
    let days = days.ok_or_else(|| invalid("retentionInDays is required."))?;
    if LENGTHS.contains(&days) {
        return Ok(days);
    }
    let constraint = format!("satisfy enum value set: {LENGTHS:?}");
    Err(constrained(
        &days.to_string(),
        "retentionInDays",
        &constraint,
    ))
}

/// The time of the oldest events that a group shows: what is older has expired,
/// whether it is deleted yet or not.
pub(super) fn shown_from(group: &LogGroup, now: i64) -> Option<i64> {
    group.retention.map(|days| expiry(days, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lengths_of_the_api_are_taken() {
        for days in [1, 14, 365, 3653] {
            assert_eq!(checked_days(Some(days)), Ok(days));
        }
        for days in [0, 2, 366, 9999] {
            let refused = checked_days(Some(days)).unwrap_err().message;
            assert!(refused.contains(&format!("Value '{days}' at 'retentionInDays'")));
        }
        assert!(checked_days(None).is_err());
    }
}
