//! PutLogEvents: what users write.

use kiln_store::NewEvent;
use serde::Deserialize;
use serde_json::{Value, json};

use super::retention::shown_from;
use super::streams::stream_name;
use super::{Archive, constrained, failed, group_name, invalid, missing, now};
use crate::reply::Fault;

/// Events in one request: the API's limit.
const MOST_EVENTS: usize = 10_000;
/// Bytes in one request, with those that each event counts beside its message.
const MOST_BYTES: usize = 1 << 20;
const EVENT_OVERHEAD: usize = 26;
const HOUR: i64 = 3_600_000;
/// Between the first and the last event of one request.
const LONGEST_SPAN: i64 = 24 * HOUR;
/// How far from now an event may be.
const OLDEST: i64 = 14 * 24 * HOUR;
const NEWEST: i64 = 2 * HOUR;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Batch {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
    log_events: Vec<Incoming>,
}

#[derive(Debug, Deserialize)]
struct Incoming {
    timestamp: i64,
    message: String,
}

pub(super) async fn put(archive: &Archive, request: Batch) -> Result<Value, Fault> {
    let group = group_name(&request.log_group_name, &None)?;
    let stream = stream_name(request.log_stream_name.as_deref())?;
    check(&request.log_events)?;
    let now = now();
    let kept = archive.group(&group)?;
    let (events, rejected) = sift(request.log_events, now, shown_from(&kept, now));
    let put = archive.logs.put(&group, stream, events, now).await;
    if !put.map_err(failed)? {
        return Err(missing("stream"));
    }
    let mut answer = json!({"nextSequenceToken": "0"});
    if rejected != json!({}) {
        answer["rejectedLogEventsInfo"] = rejected;
    }
    Ok(answer)
}

/// What is refused as a whole.
fn check(events: &[Incoming]) -> Result<(), Fault> {
    if !(1..=MOST_EVENTS).contains(&events.len()) {
        let constraint = format!("have length between 1 and {MOST_EVENTS}");
        return Err(constrained("[...]", "logEvents", &constraint));
    }
    if events.iter().any(|event| event.message.is_empty()) {
        return Err(constrained(
            "",
            "logEvents.message",
            "have length greater than or equal to 1",
        ));
    }
    if let Some(event) = events.iter().find(|event| event.timestamp < 0) {
        let value = event.timestamp.to_string();
        let constraint = "have value greater than or equal to 0";
        return Err(constrained(&value, "logEvents.timestamp", constraint));
    }
    let bytes: usize = events
        .iter()
        .map(|event| event.message.len() + EVENT_OVERHEAD)
        .sum();
    if bytes > MOST_BYTES {
        return Err(invalid(format!(
            "Upload too large: {bytes} bytes exceeds limit of {MOST_BYTES}"
        )));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let span = events.last().map_or(0, |event| event.timestamp) - events[0].timestamp;
    if span > LONGEST_SPAN {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 \
             hours.",
        ));
    }
    Ok(())
}

/// Leaves out the events that are too old, too new or expired, and says where
/// those are.
fn sift(events: Vec<Incoming>, now: i64, shown_from: Option<i64>) -> (Vec<NewEvent>, Value) {
    let older = |than: i64| events.partition_point(|event| event.timestamp < than);
    let expired = shown_from.map_or(0, older);
    let too_old = older(now - OLDEST);
    let too_new = older(now + NEWEST + 1);
    let mut rejected = json!({});
    if too_new < events.len() {
        rejected["tooNewLogEventStartIndex"] = json!(too_new);
    }
    if too_old > 0 {
        rejected["tooOldLogEventEndIndex"] = json!(too_old);
    }
    if expired > 0 {
        rejected["expiredLogEventEndIndex"] = json!(expired);
    }
    let first = expired.max(too_old).min(too_new);
    let taken = events.into_iter().take(too_new).skip(first);
    let event = |event: Incoming| NewEvent {
        at: event.timestamp,
        message: event.message,
    };
    (taken.map(event).collect(), rejected)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * HOUR;
    const NOW: i64 = 100 * DAY;

    fn incoming(times: &[i64]) -> Vec<Incoming> {
        let event = |&timestamp| Incoming {
            timestamp,
            message: "m".to_owned(),
        };
        times.iter().map(event).collect()
    }

    #[test]
    fn a_batch_is_in_order_and_neither_long_nor_large() {
        let cases = [
            (incoming(&[1, 1, 2]), ""),
            (incoming(&[]), "between 1 and 10000"),
            (incoming(&[2, 1]), "chronological order"),
            (incoming(&[0, DAY + 1]), "more than 24 hours"),
            (incoming(&[-1, 1]), "greater than or equal to 0"),
            (incoming(&[1; MOST_EVENTS + 1]), "between 1 and 10000"),
        ];
        for (events, complaint) in cases {
            match check(&events) {
                Ok(()) => assert_eq!(complaint, ""),
                Err(fault) => assert!(fault.message.contains(complaint), "{}", fault.message),
            }
        }
        let mut large = incoming(&[1]);
        large[0].message = "x".repeat(MOST_BYTES - EVENT_OVERHEAD);
        assert!(check(&large).is_ok());
        large[0].message.push('x');
        assert!(check(&large).unwrap_err().message.contains("too large"));
        large[0].message.clear();
        assert!(check(&large).is_err());
    }

    #[test]
    fn what_is_too_far_from_now_is_left_out_and_named() {
        type Times = &'static [i64];
        let cases: [(Times, Option<i64>, Times, Value); 5] = [
            (&[NOW - 1, NOW], None, &[NOW - 1, NOW], json!({})),
            (
                &[NOW - 15 * DAY, NOW - 14 * DAY],
                None,
                &[NOW - 14 * DAY],
                json!({"tooOldLogEventEndIndex": 1}),
            ),
            (
                &[NOW, NOW + NEWEST, NOW + NEWEST + 1],
                None,
                &[NOW, NOW + NEWEST],
                json!({"tooNewLogEventStartIndex": 2}),
            ),
            (
                &[NOW - 2 * DAY, NOW - DAY],
                Some(NOW - DAY),
                &[NOW - DAY],
                json!({"expiredLogEventEndIndex": 1}),
            ),
            (
                &[NOW + DAY],
                Some(NOW - DAY),
                &[],
                json!({"tooNewLogEventStartIndex": 0}),
            ),
        ];
        for (times, shown_from, taken, said) in cases {
            let (events, rejected) = sift(incoming(times), NOW, shown_from);
            let times: Vec<i64> = events.iter().map(|event| event.at).collect();
            assert_eq!((times.as_slice(), rejected), (taken, said));
        }
    }
}
