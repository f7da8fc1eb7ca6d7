//! CloudWatch Logs, for reading: what jobs wrote, while they write it.
//!
//! No answer is large, and none takes more reading than it shows. What is read
//! is read on a thread that may wait for the disk.

#[cfg(test)]
mod fuzz;
mod pattern;
mod place;
mod reading;

use kiln_jobs::Identity;
use kiln_store::{LogStore, LogStream, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};

use self::place::StreamInTime;
use super::{Call, Services};
use crate::door::require_owner;
use crate::reply::{Fault, Reply, json as reply};

/// Streams and groups in one answer: the API's limit and default.
const MOST_LISTED: u32 = 50;

/// The logs, and whose they are.
struct Archive {
    identity: Identity,
    logs: LogStore,
}

pub(crate) async fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    let name = call.operation()?;
    require_owner(&call.caller, &services.identity, &format!("logs:{name}"))?;
    let input = call.json()?;
    let archive = Archive {
        identity: services.identity.clone(),
        logs: services.store.logs.clone(),
    };
    let name = name.to_owned();
    let read = tokio::task::spawn_blocking(move || archive.answer(&name, input));
    let answer = read.await.map_err(|error| Fault::internal(&error))??;
    Ok(reply(answer.to_string()))
}

impl Archive {
    fn answer(&self, name: &str, input: Value) -> Result<Value, Fault> {
        match name {
            "DescribeLogGroups" => groups(self, &read(input)?),
            "DescribeLogStreams" => streams(self, &read(input)?),
            "GetLogEvents" => reading::events(self, &read(input)?),
            "FilterLogEvents" => reading::filter(self, &read(input)?),
            other => Err(Fault::new(
                "UnknownOperationException",
                format!("The operation '{other}' is not one that Kiln serves."),
            )),
        }
    }
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

fn groups(archive: &Archive, request: &Groups) -> Result<Value, Fault> {
    let limit = limit(request.limit, MOST_LISTED)?;
    let prefix = request.log_group_name_prefix.as_deref().unwrap_or_default();
    let wanted = request
        .log_group_name_pattern
        .as_deref()
        .unwrap_or_default();
    let found = archive.logs.groups(prefix).map_err(failed)?;
    let identity = &archive.identity;
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

fn streams(archive: &Archive, request: &Streams) -> Result<Value, Fault> {
    let group = group_name(&request.log_group_name, &request.log_group_identifier)?;
    require_group(archive, &group)?;
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
    let (found, next) = stream_page(archive, &group, order, descending, token, limit)?;
    let mut answer = json!({
        "logStreams": found.iter().map(|s| stream(archive, &group, s)).collect::<Vec<_>>()
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

/// A page of streams, and the token of the next when there is one: the last
/// stream of this page.
fn stream_page(
    archive: &Archive,
    group: &str,
    order: Order<'_>,
    descending: bool,
    token: Option<&str>,
    limit: u32,
) -> Result<(Vec<LogStream>, Option<String>), Fault> {
    let logs = &archive.logs;
    let found = match order {
        Order::Time => {
            let after: Option<StreamInTime> = token
                .map(|token| token.parse().map_err(|()| bad_token()))
                .transpose()?;
            let after = after.as_ref().map(|last| (last.last_event, &*last.name));
            logs.streams_by_time(group, !descending, after, limit + 1)
        }
        Order::Name(prefix) => logs.streams(group, prefix, token, descending, limit + 1),
    };
    let mut found = found.map_err(failed)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| match order {
        Order::Time => StreamInTime::of(last).to_string(),
        Order::Name(_) => last.name.clone(),
    });
    Ok((found, next))
}

fn stream(archive: &Archive, group: &str, stream: &LogStream) -> Value {
    let identity = &archive.identity;
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

/// The group's name, given as such or as an ARN.
fn group_name(name: &Option<String>, identifier: &Option<String>) -> Result<String, Fault> {
    let given = name.as_ref().or(identifier.as_ref());
    let given = given.ok_or_else(|| invalid("logGroupName is required."))?;
    let name = given
        .split_once(":log-group:")
        .map_or(given.as_str(), |(_, name)| name);
    Ok(name.trim_end_matches(":*").to_owned())
}

fn require_group(archive: &Archive, group: &str) -> Result<(), Fault> {
    if archive.logs.group_exists(group).map_err(failed)? {
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
