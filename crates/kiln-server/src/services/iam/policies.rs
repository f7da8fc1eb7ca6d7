//! The policies that are written into users and roles.

use kiln_policy::Kind;
use kiln_store::principals::{PrincipalError, PrincipalKind};

use super::answer::{Answer, document, missing, page, text};
use super::member::{LONGEST_POLICY, is_name};
use super::{DONE, Fault, Request, invalid};

pub(super) async fn put(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let (owner, name) = (request.name(kind)?, request.required("PolicyName")?);
    if !is_name(&name, LONGEST_POLICY) {
        return Err(invalid(
            "The specified value for policyName is invalid. It must contain only alphanumeric \
             characters and/or the following: +=,.@_-"
                .to_owned(),
        ));
    }
    let document = request.document("PolicyDocument", Kind::Identity)?;
    let principals = &request.services.store.principals;
    let put = principals
        .put_policy((kind, &owner), &name, &document)
        .await;
    put.map_err(|error| request.fault(error, kind, &owner))?;
    Ok(DONE)
}

pub(super) fn get(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let (owner, name) = (request.entity(kind)?, request.required("PolicyName")?);
    let inline = inline(request, &owner.id)?;
    let mut inline = inline.into_iter();
    let found = inline.find(|(one, _)| *one == name);
    let found = found.ok_or_else(|| no_policy(kind, &name))?;
    let inner = text(&format!("{}Name", super::title(kind)), &owner.name)
        + &text("PolicyName", &name)
        + &document("PolicyDocument", &found.1);
    Ok(Answer::Result(inner))
}

pub(super) fn list(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let owner = request.entity(kind)?;
    let inline = inline(request, &owner.id)?;
    let names: Vec<String> = inline.into_iter().map(|(name, _)| name).collect();
    page(request, "PolicyNames", &names)
}

pub(super) async fn delete(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let (owner, name) = (request.name(kind)?, request.required("PolicyName")?);
    let principals = &request.services.store.principals;
    let deleted = principals.delete_policy((kind, &owner), &name).await;
    deleted.map_err(|error| match error {
        PrincipalError::NoMember(_) => no_policy(kind, &name),
        other => request.fault(other, kind, &owner),
    })?;
    Ok(DONE)
}

fn inline(request: &Request<'_>, owner: &str) -> Result<Vec<(String, String)>, Fault> {
    let grants = request.services.store.principals.grants(owner);
    Ok(grants.map_err(|error| Fault::internal(&error))?.inline)
}

fn no_policy(kind: PrincipalKind, name: &str) -> Fault {
    let kind = kind.as_str();
    missing(&format!(
        "The {kind} policy with name {name} cannot be found."
    ))
}
