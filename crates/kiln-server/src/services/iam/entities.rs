//! Users and roles: made, looked at, changed and removed.

use kiln_policy::Kind;
use kiln_store::principals::{Principal, PrincipalError, PrincipalKind, policy_length};
use time::OffsetDateTime;

use super::answer::{Answer, document, element, instant, missing, page, tag_list, text};
use super::member::{LONGEST_ROLE, is_name, is_path};
use super::{DONE, Fault, Request, invalid, limit, no_entity, tags};
use crate::authorization::entity_arn;
use crate::keyring;
use crate::random::letters;

/// The trust of a role that is a name only.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// IAM's limit on a role's trust policy.
const LONGEST_TRUST: usize = 2048;
/// How many seconds a role's sessions last at the most, unless it says otherwise.
pub(crate) const USUAL_SESSION: i64 = 3600;
/// What it may say.
const SESSIONS: std::ops::RangeInclusive<i64> = 3600..=43_200;

pub(super) async fn create(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let new = described(request, kind)?;
    let name = new.name.clone();
    let created = request.services.store.principals.create(new.clone()).await;
    created.map_err(|error| request.fault(error, kind, &name))?;
    Ok(Answer::Result(shown(request, &new)))
}

/// The user or role that a request describes.
fn described(request: &Request<'_>, kind: PrincipalKind) -> Result<Principal, Fault> {
    let name = request.name(kind)?;
    if !is_name(&name, LONGEST_ROLE) {
        return Err(invalid(format!(
            "The specified value for {}Name is invalid. It must contain only alphanumeric \
             characters and/or the following: +=,.@_- and have at most {LONGEST_ROLE} characters.",
            kind.as_str()
        )));
    }
    let path = request.parameter("Path").unwrap_or_else(|| "/".to_owned());
    if !is_path(&path) {
        return Err(invalid(
            "The specified value for path is invalid. It must begin and end with / and contain \
             only alphanumeric characters and/or / characters."
                .to_owned(),
        ));
    }
    if request.parameter("PermissionsBoundary").is_some() {
        return Err(invalid(
            "Kiln has no permissions boundaries: PermissionsBoundary must be left out.".to_owned(),
        ));
    }
    let (start, trust) = match kind {
        PrincipalKind::User => ("AIDA", None),
        PrincipalKind::Role => {
            let trust = trust(request, "AssumeRolePolicyDocument")?;
            ("AROA", Some(trust))
        }
    };
    let id = letters(17).map_err(|error| Fault::internal(&error))?;
    Ok(Principal {
        kind,
        name,
        id: format!("{start}{id}"),
        path,
        created: now(),
        description: request.description()?,
        trust,
        longest_session: longest_session(request)?,
        tags: tags::given(request)?,
    })
}

/// A trust policy that the request has.
fn trust(request: &Request<'_>, name: &str) -> Result<String, Fault> {
    let trust = request.document(name, Kind::Trust)?;
    match policy_length(&trust) > LONGEST_TRUST {
        true => Err(limit(format!(
            "Cannot exceed quota for ACLSizePerRole: {LONGEST_TRUST}"
        ))),
        false => Ok(trust),
    }
}

fn longest_session(request: &Request<'_>) -> Result<Option<i64>, Fault> {
    let Some(given) = request.parameter("MaxSessionDuration") else {
        return Ok(None);
    };
    let seconds = given.parse().ok().filter(|given| SESSIONS.contains(given));
    seconds.map(Some).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value '{given}' at 'maxSessionDuration' failed to \
             satisfy constraint: Member must be between {} and {}",
            SESSIONS.start(),
            SESSIONS.end()
        ))
    })
}

/// The user that a request names, or else the one that sends it.
pub(super) fn get_user(request: &Request<'_>) -> Result<Answer, Fault> {
    let user = match (&request.call.caller, request.parameter("UserName")) {
        (keyring::Principal::User(user), None) => user.clone(),
        (keyring::Principal::Root, None) => return Ok(Answer::Result(owner(request))),
        _ => request.entity(PrincipalKind::User)?,
    };
    Ok(Answer::Result(shown(request, &user)))
}

/// The owner of the account, who has no name.
fn owner(request: &Request<'_>) -> String {
    let identity = &request.services.identity;
    let arn = crate::authorization::arn(&keyring::Principal::Root, identity);
    let inner = text("Path", "/")
        + &text("UserName", "root")
        + &text("UserId", identity.account.as_str())
        + &text("Arn", &arn)
        + &instant("CreateDate", 0);
    element("User", &inner)
}

pub(super) fn get_role(request: &Request<'_>) -> Result<Answer, Fault> {
    let name = request.name(PrincipalKind::Role)?;
    let found = request
        .services
        .store
        .principals
        .find(PrincipalKind::Role, &name);
    let found = found.map_err(|error| Fault::internal(&error))?;
    let role = match found {
        Some(role) => role,
        None if is_name(&name, LONGEST_ROLE) => name_only(name),
        None => return Err(missing(&no_entity(PrincipalKind::Role, &name))),
    };
    Ok(Answer::Result(shown(request, &role)))
}

/// A role that nobody created.
fn name_only(name: String) -> Principal {
    Principal {
        kind: PrincipalKind::Role,
        name,
        id: "AROAKILN".to_owned(),
        path: "/".to_owned(),
        created: 0,
        description: None,
        trust: Some(TRUST.to_owned()),
        longest_session: None,
        tags: Vec::new(),
    }
}

pub(super) fn list(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let all = request.services.store.principals.list(kind);
    let all = all.map_err(|error| Fault::internal(&error))?;
    let prefix = request.parameter("PathPrefix").unwrap_or_default();
    let within = all.iter().filter(|one| one.path.starts_with(&prefix));
    let members: Vec<String> = within.map(|one| inner(request, one)).collect();
    let name = match kind {
        PrincipalKind::User => "Users",
        PrincipalKind::Role => "Roles",
    };
    page(request, name, &members)
}

pub(super) async fn delete(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let name = request.name(kind)?;
    let deleted = request.services.store.principals.delete(kind, &name).await;
    deleted.map_err(|error| request.fault(error, kind, &name))?;
    Ok(DONE)
}

pub(super) async fn update_trust(request: &Request<'_>) -> Result<Answer, Fault> {
    let trust = trust(request, "PolicyDocument")?;
    let trusting = |role: &mut Principal| {
        role.trust = Some(trust);
        Ok(())
    };
    change(request, PrincipalKind::Role, trusting).await?;
    Ok(DONE)
}

pub(super) async fn update_role(request: &Request<'_>) -> Result<Answer, Fault> {
    let (description, longest) = (request.description()?, longest_session(request)?);
    let described = move |role: &mut Principal| {
        role.description = description.or(role.description.take());
        role.longest_session = longest.or(role.longest_session);
        Ok(())
    };
    change(request, PrincipalKind::Role, described).await?;
    Ok(Answer::Result(String::new()))
}

/// Changes the user or the role that a request names.
pub(super) async fn change(
    request: &Request<'_>,
    kind: PrincipalKind,
    change: impl FnOnce(&mut Principal) -> Result<(), PrincipalError> + Send + 'static,
) -> Result<(), Fault> {
    let name = request.name(kind)?;
    let changed = request
        .services
        .store
        .principals
        .change(kind, &name, change);
    changed
        .await
        .map_err(|error| request.fault(error, kind, &name))
}

/// A user or a role, as an element.
fn shown(request: &Request<'_>, one: &Principal) -> String {
    element(super::title(one.kind), &inner(request, one))
}

fn inner(request: &Request<'_>, one: &Principal) -> String {
    let (name, id) = match one.kind {
        PrincipalKind::User => ("UserName", "UserId"),
        PrincipalKind::Role => ("RoleName", "RoleId"),
    };
    let mut inner = text("Path", &one.path)
        + &text(name, &one.name)
        + &text(id, &one.id)
        + &text("Arn", &entity_arn(one, &request.services.identity))
        + &instant("CreateDate", one.created)
        + &tag_list(&one.tags);
    if let Some(trust) = &one.trust {
        inner += &document("AssumeRolePolicyDocument", trust);
        let longest = one.longest_session.unwrap_or(USUAL_SESSION);
        inner += &text("MaxSessionDuration", &longest.to_string());
    }
    if let Some(description) = &one.description {
        inner += &text("Description", description);
    }
    inner
}

pub(super) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp() * 1000
}
