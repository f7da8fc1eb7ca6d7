//! The tags of users and roles.

use kiln_store::principals::PrincipalKind;

use super::answer::{Answer, page, text};
use super::entities::update;
use super::member::{members, pairs};
use super::{DONE, Fault, Request};

pub(super) async fn add(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let mut entity = request.entity(kind)?;
    for (key, value) in pairs(request.call.body, "Tags") {
        entity.tags.retain(|(one, _)| *one != key);
        entity.tags.push((key, value));
    }
    update(request, entity).await?;
    Ok(DONE)
}

pub(super) async fn remove(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let mut entity = request.entity(kind)?;
    let gone = members(request.call.body, "TagKeys", "");
    entity.tags.retain(|(key, _)| !gone.contains(key));
    update(request, entity).await?;
    Ok(DONE)
}

pub(super) fn list(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let entity = request.entity(kind)?;
    let tags = entity.tags.iter();
    let members: Vec<String> = tags
        .map(|(key, value)| text("Key", key) + &text("Value", value))
        .collect();
    page(request, "Tags", &members)
}
