//! The access keys of users.

use kiln_store::principals::{Principal, PrincipalError, PrincipalKind, UserKey};

use super::answer::{Answer, element, instant, missing, page, text};
use super::entities::now;
use super::{DONE, Fault, Request, invalid};
use crate::keyring::{self, new_secret};
use crate::random::letters;

const USER: PrincipalKind = PrincipalKind::User;

/// The user whose keys a request is about: its own, unless it names one.
fn user(request: &Request<'_>) -> Result<Principal, Fault> {
    match (&request.call.caller, request.parameter("UserName")) {
        (keyring::Principal::User(user), None) => Ok(user.clone()),
        _ => request.entity(USER),
    }
}

pub(super) async fn create(request: &Request<'_>) -> Result<Answer, Fault> {
    let user = user(request)?;
    let made = || {
        std::io::Result::Ok(UserKey {
            id: format!("AKIA{}", letters(16)?),
            owner: user.id.clone(),
            secret: new_secret()?,
            active: true,
            created: now(),
        })
    };
    let key = made().map_err(|error| Fault::internal(&error))?;
    let added = request.services.store.principals.add_key(key.clone()).await;
    added.map_err(|error| request.fault(error, USER, &user.name))?;
    let inner = shown(&user, &key) + &text("SecretAccessKey", &key.secret);
    Ok(Answer::Result(element("AccessKey", &inner)))
}

pub(super) fn list(request: &Request<'_>) -> Result<Answer, Fault> {
    let user = user(request)?;
    let keys = request.services.store.principals.keys_of(&user.id);
    let keys = keys.map_err(|error| Fault::internal(&error))?;
    let members: Vec<String> = keys.iter().map(|key| shown(&user, key)).collect();
    page(request, "AccessKeyMetadata", &members)
}

pub(super) async fn update(request: &Request<'_>) -> Result<Answer, Fault> {
    let (user, id) = (user(request)?, request.required("AccessKeyId")?);
    let active = match request.required("Status")?.as_str() {
        "Active" => true,
        "Inactive" => false,
        other => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'status' failed to satisfy \
                 constraint: Member must satisfy enum value set: [Active, Inactive]"
            )));
        }
    };
    let principals = &request.services.store.principals;
    let set = principals.set_key(&user.name, &id, active).await;
    set.map_err(|error| fault(request, error, &user, &id))?;
    Ok(DONE)
}

pub(super) async fn delete(request: &Request<'_>) -> Result<Answer, Fault> {
    let (user, id) = (user(request)?, request.required("AccessKeyId")?);
    let principals = &request.services.store.principals;
    let deleted = principals.delete_key(&user.name, &id).await;
    deleted.map_err(|error| fault(request, error, &user, &id))?;
    Ok(DONE)
}

/// Whose key it is. When it was used is not written down.
pub(super) fn last_used(request: &Request<'_>) -> Result<Answer, Fault> {
    let id = request.required("AccessKeyId")?;
    let principals = &request.services.store.principals;
    let failed = |error| Fault::internal(&error);
    let key = principals.key(&id).map_err(failed)?;
    let user = key.map(|key| principals.by_id(&key.owner)).transpose();
    let user = user.map_err(failed)?.flatten();
    let user = user.ok_or_else(|| no_key(&id))?;
    let used = text("ServiceName", "N/A") + &text("Region", "N/A");
    let inner = text("UserName", &user.name) + &element("AccessKeyLastUsed", &used);
    Ok(Answer::Result(inner))
}

fn fault(request: &Request<'_>, error: PrincipalError, user: &Principal, id: &str) -> Fault {
    match error {
        PrincipalError::NoMember(_) => no_key(id),
        other => request.fault(other, USER, &user.name),
    }
}

fn no_key(id: &str) -> Fault {
    missing(&format!("The Access Key with id {id} cannot be found."))
}

fn shown(user: &Principal, key: &UserKey) -> String {
    let status = if key.active { "Active" } else { "Inactive" };
    text("UserName", &user.name)
        + &text("AccessKeyId", &key.id)
        + &text("Status", status)
        + &instant("CreateDate", key.created)
}
