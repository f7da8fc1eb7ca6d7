//! Tags of jobs, of whichever kind.

use kiln_jobs::JobError;
use kiln_jobs::check_tag_keys;
use kiln_model::api::{
    AddTagsInput, AddTagsOutput, DeleteTagsInput, ListTagsInput, ListTagsOutput, Tag,
};
use kiln_store::{StoreError, TAG_LIMIT};

use super::write;
use crate::reply::{Fault, Reply, json};
use crate::services::Services;

pub(super) async fn add_tags(services: &Services, request: AddTagsInput) -> Result<Reply, Fault> {
    let keys: Vec<&str> = request.tags.iter().map(|tag| tag.key.as_str()).collect();
    check_tag_keys(&keys).map_err(JobError::Validation)?;
    let tags = request
        .tags
        .into_iter()
        .map(|tag| (tag.key, tag.value))
        .collect();
    let all = services
        .store
        .tags
        .add(&request.resource_arn, tags)
        .await
        .map_err(tag_fault)?;
    write(&AddTagsOutput {
        tags: Some(tags_of(all)),
    })
}

/// All tags come on one page: a resource has at most fifty, the smallest page
/// that may be asked for. So there is no token of another one.
pub(super) fn list_tags(services: &Services, request: &ListTagsInput) -> Result<Reply, Fault> {
    if request.next_token.is_some() {
        return Err(JobError::Validation("The given NextToken is not valid.".to_owned()).into());
    }
    let all = services
        .store
        .tags
        .list(&request.resource_arn)
        .map_err(tag_fault)?;
    write(&ListTagsOutput {
        tags: Some(tags_of(all)),
        next_token: None,
    })
}

pub(super) async fn delete_tags(
    services: &Services,
    request: DeleteTagsInput,
) -> Result<Reply, Fault> {
    let DeleteTagsInput {
        resource_arn,
        tag_keys,
    } = request;
    services
        .store
        .tags
        .delete(&resource_arn, tag_keys)
        .await
        .map_err(tag_fault)?;
    Ok(json("{}"))
}

fn tags_of(pairs: Vec<(String, String)>) -> Vec<Tag> {
    pairs
        .into_iter()
        .map(|(key, value)| Tag { key, value })
        .collect()
}

fn tag_fault(error: StoreError) -> Fault {
    match error {
        StoreError::NoSuchResource => {
            JobError::Validation("Requested resource not found.".to_owned()).into()
        }
        StoreError::TooManyTags => {
            let message = format!("The number of tags exceeds the limit of {TAG_LIMIT}.");
            JobError::Validation(message).into()
        }
        other => Fault::internal(&other),
    }
}
