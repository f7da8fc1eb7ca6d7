//! CloudWatch Logs, for reading: what jobs wrote, while they write it.

mod pattern;
mod place;

use kiln_store::{Direction, LogEvent, LogStream, Position, StoreError, Window};
use serde::Deserialize;
use serde_json::{Value, json};

use self::pattern::Pattern;
use self::place::{MergedPlace, StreamPlace};
use super::{Call, Services};
use crate::door::require_owner;
use crate::reply::{Fault, Reply, json as reply};

/// Events in one answer: the API's limit and default.
const MOST_EVENTS: u32 = 10_000;
/// Bytes of messages in one answer: the API's limit.
const MOST_BYTES: usize = 1 << 20;
/// Streams and groups in one answer: the API's limit and default.
const MOST_LISTED: u32 = 50;
/// Streams one filter looks through.
const MOST_FILTERED: u32 = 100_000;

pub(crate) fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    let name = call.operation()?;
    require_owner(&call.caller, &services.identity, &format!("logs:{name}"))?;
    let input = call.json()?;
    let answer = match name {
        "DescribeLogGroups" => groups(services, &read(input)?),
        "DescribeLogStreams" => streams(services, &read(input)?),
        "GetLogEvents" => events(services, &read(input)?),
        "FilterLogEvents" => filter(services, &read(input)?),
        other => Err(Fault::new(
            "UnknownOperationException",
            format!("The operation '{other}' is not one that Kiln serves."),
        )),
    }?;
    Ok(reply(answer.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(input: Value) -> Result<T, Fault> {
    serde_json::from_value(input).map_err(|error| invalid(error.to_string()))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

fn missing(what: &str) -> Fault {
    Fault::new(
        "ResourceNotFoundException",
        format!("The specified log {what} does not exist."),
    )
}

fn failed(error: StoreError) -> Fault {
    Fault::internal(&error)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Groups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    limit: Option<u32>,
}

fn groups(services: &Services, request: &Groups) -> Result<Value, Fault> {
    let limit = limit(request.limit, MOST_LISTED)?;
    let prefix = request.log_group_name_prefix.as_deref().unwrap_or_default();
    let wanted = request
        .log_group_name_pattern
        .as_deref()
        .unwrap_or_default();
    let found = services.store.logs.groups(prefix).map_err(failed)?;
    let identity = &services.identity;
    let group = |group: kiln_store::LogGroup| {
        let arn = format!(
            "arn:{}:logs:{}:{}:log-group:{}",
            identity.region.partition(),
            identity.region,
            identity.account,
            group.name
        );
        json!({
            "logGroupName": group.name, "creationTime": group.created, "arn": format!("{arn}:*"),
            "logGroupArn": arn, "storedBytes": group.stored_bytes, "metricFilterCount": 0,
            "logGroupClass": "STANDARD",
        })
    };
    let found = found
        .into_iter()
        .filter(|group| group.name.contains(wanted));
    // There are as many groups as job kinds, which is fewer than any page.
    Ok(json!({"logGroups": found.take(limit as usize).map(group).collect::<Vec<_>>()}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Streams {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<u32>,
}

fn streams(services: &Services, request: &Streams) -> Result<Value, Fault> {
    let group = group_name(&request.log_group_name, &request.log_group_identifier)?;
    require_group(services, &group)?;
    let limit = limit(request.limit, MOST_LISTED)?;
    let descending = request.descending.unwrap_or(false);
    let prefix = request.log_stream_name_prefix.as_deref();
    let by_time = match request.order_by.as_deref() {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") if prefix.is_none() => true,
        Some("LastEventTime") => {
            return Err(invalid(
                "Cannot order by LastEventTime with a logStreamNamePrefix.",
            ));
        }
        Some(other) => return Err(invalid(format!("orderBy '{other}' is not known."))),
    };
    let order = if by_time {
        Order::Time
    } else {
        Order::Name(prefix.unwrap_or_default())
    };
    let token = request.next_token.as_deref();
    let (found, next) = stream_page(services, &group, order, descending, token, limit)?;
    let mut answer = json!({
        "logStreams": found.iter().map(|s| stream(services, &group, s)).collect::<Vec<_>>()
    });
    // Clients take a token to mean that there is more: none is given when there is not.
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

/// What streams are listed by; by name, only those with a prefix.
enum Order<'a> {
    Time,
    Name(&'a str),
}

/// A page of streams, and the token of the next when there is one: a count of
/// streams by time, the last name by name.
fn stream_page(
    services: &Services,
    group: &str,
    order: Order<'_>,
    descending: bool,
    token: Option<&str>,
    limit: u32,
) -> Result<(Vec<LogStream>, Option<String>), Fault> {
    let logs = &services.store.logs;
    let passed = match (&order, token) {
        (Order::Time, Some(token)) => token.parse().map_err(|_| bad_token())?,
        _ => 0,
    };
    let found = match order {
        Order::Time => logs.streams_by_time(group, !descending, passed, limit + 1),
        Order::Name(prefix) => logs.streams(group, prefix, token, descending, limit + 1),
    };
    let mut found = found.map_err(failed)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| match order {
        Order::Time => (passed + limit).to_string(),
        Order::Name(_) => last.name.clone(),
    });
    Ok((found, next))
}

fn stream(services: &Services, group: &str, stream: &LogStream) -> Value {
    let identity = &services.identity;
    json!({
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "firstEventTimestamp": stream.first_event,
        "lastEventTimestamp": stream.last_event,
        "lastIngestionTime": stream.last_ingestion,
        "uploadSequenceToken": "0",
        "arn": format!(
            "arn:{}:logs:{}:{}:log-group:{group}:log-stream:{}",
            identity.region.partition(), identity.region, identity.account, stream.name
        ),
        "storedBytes": 0,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<u32>,
    start_from_head: Option<bool>,
}

fn events(services: &Services, request: &Events) -> Result<Value, Fault> {
    let group = group_name(&request.log_group_name, &request.log_group_identifier)?;
    let stream = request.log_stream_name.as_deref();
    let stream = stream.ok_or_else(|| invalid("logStreamName is required."))?;
    require_group(services, &group)?;
    let place = match &request.next_token {
        Some(token) => token.parse().map_err(|()| bad_token())?,
        None => StreamPlace::start(request.start_from_head.unwrap_or(false)),
    };
    let window = Window {
        start: request.start_time,
        end: request.end_time,
        limit: limit(request.limit, MOST_EVENTS)?,
    };
    let found = services
        .store
        .logs
        .events(&group, stream, place.position, place.direction, window);
    let found = found.map_err(failed)?.ok_or_else(|| missing("stream"))?;
    let found = within_bytes(found, place.direction);
    let (backward, forward) = place.around(&found);
    let event = |event: &LogEvent| {
        json!({
            "timestamp": event.position.at, "message": event.message,
            "ingestionTime": event.ingested,
        })
    };
    Ok(json!({
        "events": found.iter().map(event).collect::<Vec<_>>(),
        "nextForwardToken": forward.to_string(),
        "nextBackwardToken": backward.to_string(),
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
struct Filter {
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

fn filter(services: &Services, request: &Filter) -> Result<Value, Fault> {
    let group = group_name(&request.log_group_name, &request.log_group_identifier)?;
    require_group(services, &group)?;
    let pattern = Pattern::parse(request.filter_pattern.as_deref().unwrap_or_default());
    let pattern = pattern.map_err(|error| invalid(error.to_string()))?;
    let names = filtered_streams(services, &group, request)?;
    let after: Option<MergedPlace> = request
        .next_token
        .as_deref()
        .map(|t| t.parse().map_err(|()| bad_token()))
        .transpose()?;
    let limit = limit(request.limit, MOST_EVENTS)?;
    // `endTime` is inclusive here, unlike in GetLogEvents.
    let end = request.end_time.map(|end| end.saturating_add(1));
    let window = Window {
        start: request.start_time,
        end,
        limit: limit + 1,
    };
    let after = after
        .as_ref()
        .map(|place| (place.stream.as_str(), place.position));
    let found = services
        .store
        .logs
        .merged(&group, &names, after, window)
        .map_err(failed)?;
    let looked_at = found.len();
    let mut page = within_bytes(found, Direction::Forward);
    page.truncate(limit as usize);
    let next = page
        .last()
        .filter(|_| page.len() < looked_at)
        .map(MergedPlace::of);
    let matching = page.iter().filter(|event| pattern.matches(&event.message));
    let mut answer = json!({
        "events": matching.map(filtered).collect::<Vec<_>>(), "searchedLogStreams": [],
    });
    if let Some(next) = next {
        answer["nextToken"] = json!(next.to_string());
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

fn filtered_streams(
    services: &Services,
    group: &str,
    request: &Filter,
) -> Result<Vec<String>, Fault> {
    match (&request.log_stream_names, &request.log_stream_name_prefix) {
        (Some(_), Some(_)) => Err(invalid(
            "logStreamNames and logStreamNamePrefix cannot both be given.",
        )),
        (Some(names), None) => Ok(names.clone()),
        (None, prefix) => {
            let prefix = prefix.as_deref().unwrap_or_default();
            let logs = &services.store.logs;
            let found = logs
                .streams(group, prefix, None, false, MOST_FILTERED)
                .map_err(failed)?;
            let overlaps = |stream: &LogStream| {
                request
                    .start_time
                    .is_none_or(|start| stream.last_event >= start)
                    && request.end_time.is_none_or(|end| stream.first_event <= end)
            };
            Ok(found
                .into_iter()
                .filter(overlaps)
                .map(|stream| stream.name)
                .collect())
        }
    }
}

/// The group's name, given as such or as an ARN.
fn group_name(name: &Option<String>, identifier: &Option<String>) -> Result<String, Fault> {
    let given = name.as_ref().or(identifier.as_ref());
    let given = given.ok_or_else(|| invalid("logGroupName is required."))?;
    let name = given
        .split_once(":log-group:")
        .map_or(given.as_str(), |(_, name)| name);
    Ok(name.trim_end_matches(":*").to_owned())
}

fn require_group(services: &Services, group: &str) -> Result<(), Fault> {
    if services.store.logs.group_exists(group).map_err(failed)? {
        Ok(())
    } else {
        Err(missing("group"))
    }
}

fn limit(asked: Option<u32>, most: u32) -> Result<u32, Fault> {
    match asked {
        None => Ok(most),
        Some(asked) if (1..=most).contains(&asked) => Ok(asked),
        Some(asked) => {
            let bound = if asked == 0 {
                "greater than or equal to 1".to_owned()
            } else {
                format!("less than or equal to {most}")
            };
            Err(invalid(format!(
                "1 validation error detected: Value '{asked}' at 'limit' failed to satisfy \
                 constraint: Member must have value {bound}"
            )))
        }
    }
}

fn bad_token() -> Fault {
    invalid("The specified nextToken is invalid.")
}
