//! Log streams: listed, made and deleted.

use kiln_store::LogStream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::place::StreamInTime;
use super::{
    Archive, MOST_LISTED, constrained, failed, group_name, invalid, limit, missing, now, taken,
    token,
};
use crate::reply::Fault;

/// Characters of a name: the API's limit.
const LONGEST_NAME: usize = 512;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Streams {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<u32>,
}

pub(super) fn describe(archive: &Archive, request: &Streams) -> Result<Value, Fault> {
    let group = group_name(&request.log_group_name, &request.log_group_identifier)?;
    archive.group(&group)?;
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
    let before = request.next_token.as_deref();
    let (found, next) = stream_page(archive, &group, order, descending, before, limit)?;
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
#[derive(Debug, Clone, Copy)]
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
    before: Option<&str>,
    limit: u32,
) -> Result<(Vec<LogStream>, Option<String>), Fault> {
    let logs = &archive.logs;
    let asked = (group, order, descending);
    let found = match order {
        Order::Time => {
            let after: Option<StreamInTime> =
                before.map(|one| token::read(one, asked)).transpose()?;
            let after = after.as_ref().map(|last| (last.last_event, &*last.name));
            logs.streams_by_time(group, !descending, after, limit + 1)
        }
        Order::Name(prefix) => {
            let after: Option<String> = before.map(|one| token::read(one, asked)).transpose()?;
            logs.streams(group, prefix, after.as_deref(), descending, limit + 1)
        }
    };
    let mut found = found.map_err(failed)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| match order {
        Order::Time => token::write(StreamInTime::of(last), asked),
        Order::Name(_) => token::write(&last.name, asked),
    });
    Ok((found, next))
}

fn stream(archive: &Archive, group: &str, stream: &LogStream) -> Value {
    let mut shown = json!({
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "uploadSequenceToken": "0",
        "arn": format!("{}:log-stream:{}", archive.arn(group), stream.name),
        "storedBytes": 0,
    });
    if let Some(first) = stream.first_event {
        shown["firstEventTimestamp"] = json!(first);
        shown["lastEventTimestamp"] = json!(stream.last_event);
        shown["lastIngestionTime"] = json!(stream.last_ingestion);
    }
    shown
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
}

pub(super) async fn create(archive: &Archive, request: &Named) -> Result<(), Fault> {
    let group = group_name(&request.log_group_name, &None)?;
    let name = stream_name(request.log_stream_name.as_deref())?;
    let made = archive.logs.create_stream(&group, name, now()).await;
    if made.map_err(failed)? {
        Ok(())
    } else {
        Err(taken("stream"))
    }
}

pub(super) async fn delete(archive: &Archive, request: &Named) -> Result<(), Fault> {
    let group = group_name(&request.log_group_name, &None)?;
    let name = stream_name(request.log_stream_name.as_deref())?;
    archive.group(&group)?;
    let deleted = archive.logs.delete_stream(&group, name).await;
    if deleted.map_err(failed)? {
        Ok(())
    } else {
        Err(missing("stream"))
    }
}

/// A stream's name, which must be one.
pub(super) fn stream_name(name: Option<&str>) -> Result<&str, Fault> {
    let name = name.ok_or_else(|| invalid("logStreamName is required."))?;
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        let constraint = format!("have length between 1 and {LONGEST_NAME}");
        return Err(constrained(name, "logStreamName", &constraint));
    }
    if name.contains([':', '*']) {
        let pattern = "satisfy regular expression pattern: [^:*]*";
        return Err(constrained(name, "logStreamName", pattern));
    }
    Ok(name)
}
