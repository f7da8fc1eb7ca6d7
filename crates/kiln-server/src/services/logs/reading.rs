//! GetLogEvents and FilterLogEvents: pages of what was written.

use kiln_store::{Direction, LogEvent, Position, Sources, Window};
use serde::Deserialize;
use serde_json::{Value, json};

use super::pattern::Pattern;
use super::place::{MergedPlace, StreamPlace};
use super::retention::shown_from;
use super::{Archive, failed, group_name, invalid, limit, missing, now, token};
use crate::reply::Fault;

/// Events in one answer: the API's limit and default.
const MOST_EVENTS: u32 = 10_000;
/// Bytes of messages in one answer: the API's limit.
const MOST_BYTES: usize = 1 << 20;
/// Streams that one filter may name: the API's limit.
const MOST_NAMED: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Events {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<u32>,
    start_from_head: Option<bool>,
}

/// The position of a stream's last event; the start where it has none.
fn last(archive: &Archive, group: &str, stream: &str) -> Result<Position, Fault> {
    let window = Window {
        start: None,
        end: None,
        limit: 1,
        bytes: MOST_BYTES,
    };
    let found = archive
        .logs
        .events(group, stream, Position::END, Direction::Backward, window);
    let found = found.map_err(failed)?.unwrap_or_default();
    Ok(found
        .first()
        .map_or(Position::START, |event| event.position))
}

pub(super) fn events(archive: &Archive, request: &Events) -> Result<Value, Fault> {
    let group = group_name(&request.log_group_name, &request.log_group_identifier)?;
    let stream = request.log_stream_name.as_deref();
    let stream = stream.ok_or_else(|| invalid("logStreamName is required."))?;
    let shown_from = shown_from(&archive.group(&group)?, now());
    let place = match &request.next_token {
        Some(one) => token::read(one, (&group, stream))?,
        None => StreamPlace::start(request.start_from_head.unwrap_or(false)),
    };
    let window = Window {
        start: request.start_time.max(shown_from),
        end: request.end_time,
        limit: limit(request.limit, MOST_EVENTS)?,
        bytes: MOST_BYTES,
    };
    let found = archive
        .logs
        .events(&group, stream, place.position, place.direction, window);
    let found = found.map_err(failed)?.ok_or_else(|| missing("stream"))?;
    let found = within_bytes(found, place.direction);
    let (backward, mut forward) = place.around(&found);
    if found.is_empty() && place.position == Position::END {
        // Who waits at the tail goes on from what is there now, not from the end of time.
        forward.position = last(archive, &group, stream)?;
    }
    let event = |event: &LogEvent| {
        json!({
            "timestamp": event.position.at, "message": event.message,
            "ingestionTime": event.ingested,
        })
    };
    Ok(json!({
        "events": found.iter().map(event).collect::<Vec<_>>(),
        "nextForwardToken": token::write(forward, (&group, stream)),
        "nextBackwardToken": token::write(backward, (&group, stream)),
    }))
}

/// Keeps what fits into one answer: the events nearest to where reading began,
/// and always one.
fn within_bytes(mut events: Vec<LogEvent>, direction: Direction) -> Vec<LogEvent> {
    let mut bytes = 0;
    let mut fits = |event: &LogEvent| {
        bytes += event.message.len() + 26;
        bytes <= MOST_BYTES
    };
    match direction {
        Direction::Forward => {
            let kept = events.iter().take_while(|event| fits(event)).count();
            events.truncate(kept.max(1));
        }
        Direction::Backward => {
            let kept = events.iter().rev().take_while(|event| fits(event)).count();
            events.drain(..events.len().saturating_sub(kept.max(1)));
        }
    }
    events
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<u32>,
}

pub(super) fn filter(archive: &Archive, request: &Filter) -> Result<Value, Fault> {
    let group = group_name(&request.log_group_name, &request.log_group_identifier)?;
    let shown_from = shown_from(&archive.group(&group)?, now());
    let pattern = Pattern::parse(request.filter_pattern.as_deref().unwrap_or_default());
    let pattern = pattern.map_err(|error| invalid(error.to_string()))?;
    let sources = sources(request)?;
    let asked = (&group, sources, &request.filter_pattern);
    let after: Option<MergedPlace> = request
        .next_token
        .as_deref()
        .map(|one| token::read(one, asked))
        .transpose()?;
    let limit = limit(request.limit, MOST_EVENTS)?;
    // `endTime` is inclusive here, unlike in GetLogEvents.
    let end = request.end_time.map(|end| end.saturating_add(1));
    let window = Window {
        start: request.start_time.max(shown_from),
        end,
        limit: limit + 1,
        bytes: MOST_BYTES,
    };
    let after = after
        .as_ref()
        .map(|place| (place.stream.as_str(), place.position));
    let found = archive
        .logs
        .merged(&group, sources, after, window)
        .map_err(failed)?;
    let looked_at = found.len();
    let mut page = within_bytes(found, Direction::Forward);
    page.truncate(limit as usize);
    let next = page
        .last()
        .filter(|_| page.len() < looked_at)
        .map(|last| token::write(MergedPlace::of(last), asked));
    let matching = page.iter().filter(|event| pattern.matches(&event.message));
    let mut answer = json!({
        "events": matching.map(filtered).collect::<Vec<_>>(), "searchedLogStreams": [],
    });
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

fn filtered(event: &LogEvent) -> Value {
    let Position { at, number } = event.position;
    json!({
        "logStreamName": event.stream, "timestamp": at, "message": event.message,
        "ingestionTime": event.ingested, "eventId": format!("{at:016}{number:020}-{}", event.stream),
    })
}

/// The streams that a filter looks through: named, or by prefix, which may be empty.
fn sources(request: &Filter) -> Result<Sources<'_>, Fault> {
    let prefix = request.log_stream_name_prefix.as_deref();
    match (&request.log_stream_names, prefix) {
        (Some(_), Some(_)) => Err(invalid(
            "logStreamNames and logStreamNamePrefix cannot both be given.",
        )),
        (Some(names), None) if names.len() > MOST_NAMED => Err(invalid(format!(
            "1 validation error detected: Value at 'logStreamNames' failed to satisfy constraint: \
             Member must have length less than or equal to {MOST_NAMED}"
        ))),
        (Some(names), None) => Ok(Sources::Named(names)),
        (None, prefix) => Ok(Sources::Prefix(prefix.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_its_streams_or_their_beginning() {
        let filter = |input: Value| serde_json::from_value::<Filter>(input).unwrap();
        let names = |count: usize| vec!["s"; count];
        assert_eq!(sources(&filter(json!({}))), Ok(Sources::Prefix("")));
        let prefix = filter(json!({"logStreamNamePrefix": "job/"}));
        assert_eq!(sources(&prefix), Ok(Sources::Prefix("job/")));
        let most = filter(json!({"logStreamNames": names(MOST_NAMED)}));
        assert!(matches!(sources(&most), Ok(Sources::Named(found)) if found.len() == MOST_NAMED));
        let more = filter(json!({"logStreamNames": names(MOST_NAMED + 1)}));
        assert!(
            sources(&more)
                .unwrap_err()
                .message
                .contains("less than or equal to 100")
        );
        let both = filter(json!({"logStreamNames": ["s"], "logStreamNamePrefix": "s"}));
        assert!(sources(&both).is_err());
    }
}
