//! CloudWatch Logs: what jobs write, while they write it, and what users write
//! beside them.
//!
//! No answer is large, and none takes more reading than it shows. What is read
//! is read on a thread that may wait for the disk.

#[cfg(test)]
mod fuzz;
mod groups;
mod pattern;
mod place;
mod reading;
mod retention;
mod streams;
mod tags;
mod token;
mod writing;

use kiln_jobs::Identity;
use kiln_store::{LogGroup, LogStore, StoreError};
use serde_json::Value;
use time::OffsetDateTime;

use super::{Call, Services};
use crate::door::require_owner;
use crate::reply::{Fault, Reply, json as reply};

pub use retention::keep_logs;

/// Streams and groups in one answer: the API's limit and default.
const MOST_LISTED: u32 = 50;

/// The operations that only read.
const READING: [&str; 6] = [
    "DescribeLogGroups",
    "DescribeLogStreams",
    "GetLogEvents",
    "FilterLogEvents",
    "ListTagsForResource",
    "ListTagsLogGroup",
];

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
    if !READING.contains(&name) {
        return archive.change(name, input).await.map(reply);
    }
    let name = name.to_owned();
    let found = tokio::task::spawn_blocking(move || archive.find(&name, input));
    let found = found.await.map_err(|error| Fault::internal(&error))??;
    Ok(reply(found.to_string()))
}

impl Archive {
    fn find(&self, name: &str, input: Value) -> Result<Value, Fault> {
        match name {
            "DescribeLogGroups" => groups::describe(self, &read(input)?),
            "DescribeLogStreams" => streams::describe(self, &read(input)?),
            "GetLogEvents" => reading::events(self, &read(input)?),
            "FilterLogEvents" => reading::filter(self, &read(input)?),
            "ListTagsForResource" | "ListTagsLogGroup" => tags::list(self, &read(input)?),
            other => Err(unknown(other)),
        }
    }

    /// Carries out an operation that changes something; most answer nothing.
    async fn change(&self, name: &str, input: Value) -> Result<String, Fault> {
        match name {
            "PutLogEvents" => {
                let answer = writing::put(self, read(input)?).await?;
                return Ok(answer.to_string());
            }
            "CreateLogGroup" => groups::create(self, read(input)?).await?,
            "DeleteLogGroup" => groups::delete(self, &read(input)?).await?,
            "PutRetentionPolicy" => groups::keep(self, &read(input)?).await?,
            "DeleteRetentionPolicy" => groups::keep_for_ever(self, &read(input)?).await?,
            "CreateLogStream" => streams::create(self, &read(input)?).await?,
            "DeleteLogStream" => streams::delete(self, &read(input)?).await?,
            "TagResource" | "TagLogGroup" => tags::add(self, read(input)?).await?,
            "UntagResource" => tags::remove(self, read(input)?).await?,
            "UntagLogGroup" => tags::remove_listed(self, read(input)?).await?,
            other => return Err(unknown(other)),
        }
        Ok(String::new())
    }

    /// The ARN of a group, as the tagging operations take it.
    fn arn(&self, group: &str) -> String {
        let Identity {
            region, account, ..
        } = &self.identity;
        let partition = region.partition();
        format!("arn:{partition}:logs:{region}:{account}:log-group:{group}")
    }

    fn group(&self, name: &str) -> Result<LogGroup, Fault> {
        let found = self.logs.group(name).map_err(failed)?;
        found.ok_or_else(|| missing("group"))
    }
}

fn unknown(operation: &str) -> Fault {
    Fault::new(
        "UnknownOperationException",
        format!("The operation '{operation}' is not one that Kiln serves."),
    )
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

fn taken(what: &str) -> Fault {
    Fault::new(
        "ResourceAlreadyExistsException",
        format!("The specified log {what} already exists"),
    )
}

/// A value outside the constraint that the service model states.
fn constrained(value: &str, member: &str, constraint: &str) -> Fault {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
         constraint: Member must {constraint}"
    ))
}

fn failed(error: StoreError) -> Fault {
    match error {
        StoreError::NoSuchResource => missing("group"),
        StoreError::TooManyTags => Fault::new("TooManyTagsException", error.to_string()),
        other => Fault::internal(&other),
    }
}

/// Epoch milliseconds.
fn now() -> i64 {
    (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64
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
            let constraint = format!("have value {bound}");
            Err(constrained(&asked.to_string(), "limit", &constraint))
        }
    }
}

fn bad_token() -> Fault {
    invalid("The specified nextToken is invalid.")
}
