//! Log groups: listed, made, deleted, and told how long to keep their events.

use std::collections::BTreeMap;

use kiln_store::LogGroup;
use serde::Deserialize;
use serde_json::{Value, json};

use super::retention::checked_days;
use super::{
    Archive, MOST_LISTED, constrained, failed, group_name, invalid, limit, missing, now, taken,
    token,
};
use crate::reply::Fault;

/// Characters of a name: the API's limit.
const LONGEST_NAME: usize = 512;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Groups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<u32>,
}

/// Lists groups by name. A token is the last name of its page.
pub(super) fn describe(archive: &Archive, request: &Groups) -> Result<Value, Fault> {
    let limit = limit(request.limit, MOST_LISTED)?;
    let (prefix, part) = match (
        &request.log_group_name_prefix,
        &request.log_group_name_pattern,
    ) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        (prefix, part) => (
            prefix.as_deref().unwrap_or_default(),
            part.as_deref().unwrap_or_default(),
        ),
    };
    let after: String = match &request.next_token {
        Some(one) => token::read(one, (prefix, part))?,
        None => String::new(),
    };
    let found = archive.logs.groups(prefix, part, &after, limit + 1);
    let mut found = found.map_err(failed)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let mut answer = json!({
        "logGroups": found.iter().map(|one| shown(archive, one)).collect::<Vec<_>>()
    });
    if let Some(last) = found.last().filter(|_| more) {
        answer["nextToken"] = json!(token::write(&last.name, (prefix, part)));
    }
    Ok(answer)
}

fn shown(archive: &Archive, group: &LogGroup) -> Value {
    let arn = archive.arn(&group.name);
    let mut shown = json!({
        "logGroupName": group.name, "creationTime": group.created, "arn": format!("{arn}:*"),
        "logGroupArn": arn, "storedBytes": group.stored_bytes, "metricFilterCount": 0,
        "logGroupClass": "STANDARD",
    });
    if let Some(days) = group.retention {
        shown["retentionInDays"] = json!(days);
    }
    shown
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Creation {
    log_group_name: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

pub(super) async fn create(archive: &Archive, request: Creation) -> Result<(), Fault> {
    let name = request.log_group_name.as_deref();
    let name = checked(name.ok_or_else(|| invalid("logGroupName is required."))?)?;
    if !archive
        .logs
        .create_group(name, now())
        .await
        .map_err(failed)?
    {
        return Err(taken("group"));
    }
    let tags = request.tags.into_iter().collect();
    archive.logs.tag_group(name, tags).await.map_err(failed)
}

/// A name that a group may have.
fn checked(name: &str) -> Result<&str, Fault> {
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        let constraint = format!("have length between 1 and {LONGEST_NAME}");
        return Err(constrained(name, "logGroupName", &constraint));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    if !name.chars().all(allowed) {
        let pattern = "satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+";
        return Err(constrained(name, "logGroupName", pattern));
    }
    Ok(name)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    log_group_name: Option<String>,
}

pub(super) async fn delete(archive: &Archive, request: &Named) -> Result<(), Fault> {
    let group = group_name(&request.log_group_name, &None)?;
    found(archive.logs.delete_group(&group).await.map_err(failed)?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Retention {
    log_group_name: Option<String>,
    retention_in_days: Option<u32>,
}

pub(super) async fn keep(archive: &Archive, request: &Retention) -> Result<(), Fault> {
    let group = group_name(&request.log_group_name, &None)?;
    let days = checked_days(request.retention_in_days)?;
    let kept = archive.logs.keep_for(&group, Some(days)).await;
    found(kept.map_err(failed)?)
}

pub(super) async fn keep_for_ever(archive: &Archive, request: &Named) -> Result<(), Fault> {
    let group = group_name(&request.log_group_name, &None)?;
    let kept = archive.logs.keep_for(&group, None).await;
    found(kept.map_err(failed)?)
}

fn found(there_is: bool) -> Result<(), Fault> {
    there_is.then_some(()).ok_or_else(|| missing("group"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_groups_are_made_of_few_characters() {
        let longest = "x".repeat(LONGEST_NAME);
        for (name, good) in [
            ("/aws/sagemaker/TrainingJobs", true),
            ("a.b-c_d#1", true),
            (longest.as_str(), true),
            (&format!("{longest}x"), false),
            ("", false),
            ("a b", false),
            ("a:*", false),
            ("größe", false),
        ] {
            assert_eq!(checked(name).is_ok(), good, "{name}");
        }
    }
}
