//! IAM: users and their keys, roles, the policies of both, and what these policies
//! say.
//!
//! A role need not be created: every well-formed name is a role that SageMaker may
//! assume, and what a job may do with it follows from the job's request. A role that
//! is created has the rights that its policies give, and no others.

mod answer;
mod entities;
mod keys;
mod managed;
mod member;
mod policies;
mod simulation;
mod tags;

use kiln_policy::{Kind, Policy};
use kiln_store::principals::{
    ATTACHED_AT_MOST, KEYS_PER_USER, Principal, PrincipalError, PrincipalKind, TAGS_AT_MOST,
};

use self::answer::{Answer, missing};
pub(crate) use self::entities::USUAL_SESSION;
use self::member::{LONGEST_DESCRIPTION, is_description};
use super::{Call, Services};
use crate::door::require_owner;
use crate::reply::{Fault, Reply};

/// A request to IAM, and what it is about.
struct Request<'a> {
    services: &'a Services,
    call: &'a Call<'a>,
}

pub(crate) async fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    use PrincipalKind::{Role, User};
    let operation = call.parameter("Action").unwrap_or_default();
    require_owner(
        &call.caller,
        &services.identity,
        &format!("iam:{operation}"),
    )?;
    let request = Request { services, call };
    let result = match operation.as_str() {
        "CreateUser" => entities::create(&request, User).await,
        "GetUser" => entities::get_user(&request),
        "ListUsers" => entities::list(&request, User),
        "DeleteUser" => entities::delete(&request, User).await,
        "CreateRole" => entities::create(&request, Role).await,
        "GetRole" => entities::get_role(&request),
        "ListRoles" => entities::list(&request, Role),
        "DeleteRole" => entities::delete(&request, Role).await,
        "UpdateRole" => entities::update_role(&request).await,
        "UpdateAssumeRolePolicy" => entities::update_trust(&request).await,
        "CreateAccessKey" => keys::create(&request).await,
        "ListAccessKeys" => keys::list(&request),
        "UpdateAccessKey" => keys::update(&request).await,
        "DeleteAccessKey" => keys::delete(&request).await,
        "GetAccessKeyLastUsed" => keys::last_used(&request),
        "PutUserPolicy" => policies::put(&request, User).await,
        "GetUserPolicy" => policies::get(&request, User),
        "ListUserPolicies" => policies::list(&request, User),
        "DeleteUserPolicy" => policies::delete(&request, User).await,
        "PutRolePolicy" => policies::put(&request, Role).await,
        "GetRolePolicy" => policies::get(&request, Role),
        "ListRolePolicies" => policies::list(&request, Role),
        "DeleteRolePolicy" => policies::delete(&request, Role).await,
        "AttachUserPolicy" => managed::attach(&request, User).await,
        "DetachUserPolicy" => managed::detach(&request, User).await,
        "ListAttachedUserPolicies" => managed::attached(&request, User),
        "AttachRolePolicy" => managed::attach(&request, Role).await,
        "DetachRolePolicy" => managed::detach(&request, Role).await,
        "ListAttachedRolePolicies" => managed::attached(&request, Role),
        "CreatePolicy" => managed::create(&request).await,
        "GetPolicy" => managed::get(&request),
        "GetPolicyVersion" => managed::version(&request),
        "ListPolicies" => managed::list(&request),
        "ListPolicyVersions" => managed::versions(&request),
        "DeletePolicy" => managed::delete(&request).await,
        "TagUser" => tags::add(&request, User).await,
        "UntagUser" => tags::remove(&request, User).await,
        "ListUserTags" => tags::list(&request, User),
        "TagRole" => tags::add(&request, Role).await,
        "UntagRole" => tags::remove(&request, Role).await,
        "ListRoleTags" => tags::list(&request, Role),
        // There are none, and clients ask before they delete.
        "ListInstanceProfilesForRole" => answer::page(&request, "InstanceProfiles", &[]),
        "ListGroupsForUser" => answer::page(&request, "Groups", &[]),
        "SimulatePrincipalPolicy" => simulation::of_principal(&request),
        "SimulateCustomPolicy" => simulation::of_documents(&request),
        _ => return Err(unknown(&operation)),
    };
    result.map(|answer| answer::reply(&operation, answer))
}

fn unknown(operation: &str) -> Fault {
    let named = match operation {
        "" => "''",
        named => named,
    };
    Fault::new(
        "InvalidAction",
        format!("Could not find operation {named} for version 2010-05-08"),
    )
}

impl Request<'_> {
    fn parameter(&self, name: &str) -> Option<String> {
        self.call.parameter(name)
    }

    /// A parameter that must be there.
    fn required(&self, name: &str) -> Result<String, Fault> {
        self.parameter(name).ok_or_else(|| {
            let mut member = name.to_owned();
            member[..1].make_ascii_lowercase();
            invalid(format!(
                "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
                 Member must not be null"
            ))
        })
    }

    /// The name of a user or a role, as the request gives it.
    fn name(&self, kind: PrincipalKind) -> Result<String, Fault> {
        match kind {
            PrincipalKind::Role => self.required("RoleName"),
            PrincipalKind::User => self.required("UserName"),
        }
    }

    /// The user or the role that the request names.
    fn entity(&self, kind: PrincipalKind) -> Result<Principal, Fault> {
        let name = self.name(kind)?;
        let found = self.services.store.principals.find(kind, &name);
        let found = found.map_err(|error| Fault::internal(&error))?;
        found.ok_or_else(|| missing(&no_entity(kind, &name)))
    }

    /// What a user, a role or a policy is for, as the request says it.
    fn description(&self) -> Result<Option<String>, Fault> {
        let given = self.parameter("Description");
        if given.as_deref().is_some_and(|text| !is_description(text)) {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'description' failed to satisfy \
                 constraint: Member must have length less than or equal to {LONGEST_DESCRIPTION} \
                 and satisfy regular expression pattern: \
                 [\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*"
            )));
        }
        Ok(given)
    }

    /// A policy document that the request has, which must be sound.
    fn document(&self, name: &str, kind: Kind) -> Result<String, Fault> {
        let text = self.required(name)?;
        Policy::parse(&text, kind)
            .map(|_| text)
            .map_err(|error| malformed(&error))
    }

    /// The fault of a change that did not happen to what is called `name`.
    fn fault(&self, error: PrincipalError, kind: PrincipalKind, name: &str) -> Fault {
        match error {
            PrincipalError::Taken => conflict(
                "EntityAlreadyExists",
                format!("{} with name {name} already exists.", title(kind)),
            ),
            PrincipalError::NoPrincipal => missing(&no_entity(kind, name)),
            PrincipalError::NoMember(what) => missing(&format!(
                "The {what} of the {} {name} cannot be found.",
                kind.as_str()
            )),
            PrincipalError::StillHas(what) => {
                let first = match what {
                    "attached policies" => "detach all policies".to_owned(),
                    others => format!("delete {others}"),
                };
                let message = format!("Cannot delete entity, must {first} first.");
                conflict("DeleteConflict", message)
            }
            PrincipalError::TooManyKeys => limit(format!(
                "Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}"
            )),
            PrincipalError::TooManyPolicies => {
                let whose = title(kind);
                limit(format!(
                    "Cannot exceed quota for PoliciesPer{whose}: {ATTACHED_AT_MOST}"
                ))
            }
            PrincipalError::PoliciesTooLong(longest) => {
                let kind = kind.as_str();
                limit(format!(
                    "Maximum policy size of {longest} bytes exceeded for {kind} {name}"
                ))
            }
            PrincipalError::TooManyTags => {
                let whose = title(kind);
                limit(format!(
                    "Cannot exceed quota for TagsPer{whose}: {TAGS_AT_MOST}"
                ))
            }
            PrincipalError::Store(error) => Fault::internal(&error),
        }
    }
}

/// What a change answers that has nothing to say.
const DONE: Answer = Answer::Nothing;

fn title(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::User => "User",
        PrincipalKind::Role => "Role",
    }
}

fn no_entity(kind: PrincipalKind, name: &str) -> String {
    format!("The {} with name {name} cannot be found.", kind.as_str())
}

fn conflict(code: &'static str, message: String) -> Fault {
    Fault::new(code, message).with_status(http::StatusCode::CONFLICT)
}

/// That there is as much of something as may be.
fn limit(message: String) -> Fault {
    conflict("LimitExceeded", message)
}

fn invalid(message: String) -> Fault {
    Fault::new("ValidationError", message)
}

pub(crate) fn malformed(error: &kiln_policy::PolicyError) -> Fault {
    Fault::new("MalformedPolicyDocument", error.to_string())
}
