//! What a principal is called, and what conditions can know of it.

use kiln_jobs::Identity;
use kiln_policy::{Context, Holder};
use kiln_store::principals::Principal as Entity;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::keyring::Principal;
use crate::peer;

/// The ARN of a user or a role.
pub(crate) fn entity_arn(entity: &Entity, identity: &Identity) -> String {
    format!(
        "arn:{}:iam::{}:{}{}{}",
        identity.region.partition(),
        identity.account,
        entity.kind.as_str(),
        entity.path,
        entity.name
    )
}

/// The ARN that a caller goes by.
pub(crate) fn arn(caller: &Principal, identity: &Identity) -> String {
    let account = &identity.account;
    let partition = identity.region.partition();
    let assumed = |role: &str, session: &str| {
        format!("arn:{partition}:sts::{account}:assumed-role/{role}/{session}")
    };
    match caller {
        Principal::Root => format!("arn:{partition}:iam::{account}:root"),
        Principal::User(user) => entity_arn(user, identity),
        Principal::Role(session) => assumed(&session.role.name, &session.name),
        Principal::Job(session) => assumed("KilnExecutionRole", &session.job),
    }
}

/// The id that a caller goes by.
pub(crate) fn user_id(caller: &Principal, identity: &Identity) -> String {
    match caller {
        Principal::Root => identity.account.to_string(),
        Principal::User(user) => user.id.clone(),
        Principal::Role(session) => format!("{}:{}", session.role.id, session.name),
        Principal::Job(session) => format!("AROAKILN:{}", session.job),
    }
}

/// The names that a trust policy may have for a caller: those that mean nobody
/// else, and those of its whole account.
pub(crate) fn names(caller: &Principal, identity: &Identity) -> (Vec<Holder>, Vec<Holder>) {
    let mut own = vec![Holder::Aws(arn(caller, identity))];
    if let Principal::Role(session) = caller {
        own.push(Holder::Aws(entity_arn(&session.role, identity)));
    }
    (own, vec![Holder::Aws(identity.account.to_string())])
}

/// What conditions can know of a caller and of the circumstances.
pub(crate) fn facts(caller: &Principal, identity: &Identity) -> Context {
    let now = OffsetDateTime::now_utc();
    let (kind, principal, tags) = match caller {
        Principal::User(user) => ("User", entity_arn(user, identity), &user.tags[..]),
        Principal::Role(session) => {
            let role = &session.role;
            ("AssumedRole", entity_arn(role, identity), &role.tags[..])
        }
        Principal::Job(_) => ("AssumedRole", arn(caller, identity), &[][..]),
        Principal::Root => ("Account", arn(caller, identity), &[][..]),
    };
    let mut facts = Context::default()
        .with("aws:PrincipalArn", principal)
        .with("aws:PrincipalType", kind)
        .with("aws:PrincipalAccount", identity.account.as_str())
        .with("aws:userid", user_id(caller, identity))
        .with("aws:RequestedRegion", identity.region.as_str())
        .with("aws:SecureTransport", "false")
        .with("aws:CurrentTime", now.format(&Rfc3339).unwrap_or_default())
        .with("aws:EpochTime", now.unix_timestamp().to_string());
    if let Principal::User(user) = caller {
        facts.add("aws:username", user.name.as_str());
    }
    if let Some(address) = peer::address() {
        facts.add("aws:SourceIp", address.to_canonical().to_string());
    }
    for (key, value) in tags {
        facts.add(&format!("aws:PrincipalTag/{key}"), value.as_str());
    }
    facts
}
