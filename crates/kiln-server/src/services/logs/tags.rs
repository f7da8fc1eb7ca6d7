//! Tags of log groups, by ARN and, as they once were, by name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Archive, failed, group_name};
use crate::reply::Fault;

/// Which group is meant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Which {
    log_group_name: Option<String>,
    resource_arn: Option<String>,
}

impl Which {
    fn group(&self) -> Result<String, Fault> {
        group_name(&self.log_group_name, &self.resource_arn)
    }
}

pub(super) fn list(archive: &Archive, which: &Which) -> Result<Value, Fault> {
    let group = which.group()?;
    archive.group(&group)?;
    let tags = archive.logs.group_tags(&group).map_err(failed)?;
    let tags: BTreeMap<String, String> = tags.into_iter().collect();
    Ok(json!({"tags": tags}))
}

#[derive(Deserialize)]
pub(super) struct Addition {
    #[serde(flatten)]
    which: Which,
    tags: BTreeMap<String, String>,
}

pub(super) async fn add(archive: &Archive, request: Addition) -> Result<(), Fault> {
    let group = request.which.group()?;
    let tags = request.tags.into_iter().collect();
    archive.logs.tag_group(&group, tags).await.map_err(failed)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Removal {
    #[serde(flatten)]
    which: Which,
    tag_keys: Vec<String>,
}

pub(super) async fn remove(archive: &Archive, request: Removal) -> Result<(), Fault> {
    let group = request.which.group()?;
    let removed = archive.logs.untag_group(&group, request.tag_keys).await;
    removed.map_err(failed)
}

/// The older operation calls the keys `tags`.
#[derive(Deserialize)]
pub(super) struct ListedRemoval {
    #[serde(flatten)]
    which: Which,
    tags: Vec<String>,
}

pub(super) async fn remove_listed(archive: &Archive, request: ListedRemoval) -> Result<(), Fault> {
    let group = request.which.group()?;
    let removed = archive.logs.untag_group(&group, request.tags).await;
    removed.map_err(failed)
}
