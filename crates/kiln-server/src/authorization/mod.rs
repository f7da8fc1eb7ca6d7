//! Who may do what: the demands that a request makes, judged by the policies of
//! who sends it.
//!
//! What a job may do whose role is a name only is not judged here: it follows from
//! its request, and each service knows how much that is.

mod caller;
mod demand;
mod rights;

use http::StatusCode;
use kiln_jobs::{CreatedRole, Identity};
use kiln_policy::{Context, Decision, Holder, Kind, Policy, Request, decide};
use kiln_store::StoreError;
use kiln_store::principals::Principal as Entity;

pub(crate) use self::caller::{arn, entity_arn, facts, names, user_id};
pub(crate) use self::demand::{Demand, iam_arn};
pub(crate) use self::rights::{Denial, Rights};

use crate::keyring::Principal;
use crate::reply::{Fault, Protocol};
use crate::services::{Call, Services, monitoring};

/// The service that jobs' roles are passed to.
pub(crate) const SAGEMAKER: &str = "sagemaker.amazonaws.com";

/// How a service's requests are read for what they demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    SageMaker,
    Logs,
    CloudWatch,
    Iam,
    /// Others, with the name that their actions begin with. All they do is done to
    /// everything.
    Other(&'static str),
}

/// Judges all that a request demands.
pub(crate) fn authorize(
    services: &Services,
    call: &Call<'_>,
    language: Language,
    operation: &str,
    protocol: Protocol,
) -> Result<(), Fault> {
    if language == Language::Iam && matches!(call.caller, Principal::User(_)) && call.has_token() {
        return Err(for_lasting_keys_only());
    }
    if !matches!(call.caller, Principal::Root | Principal::Job(_)) {
        let demands = demands(services, call, language, operation)?;
        let keyring = &services.keyring;
        let rights = keyring.rights(&call.caller)?;
        let facts = facts(&call.caller, &services.identity);
        for demand in demands {
            let context = demand.context.clone().and(&facts);
            let judged = rights.judge(&demand.action, &demand.resource, &context);
            judged.map_err(|denial| {
                let who = arn(&call.caller, &services.identity);
                denied(
                    protocol,
                    denial.words(&who, &demand.action, demand.called()),
                )
            })?;
        }
    }
    match language {
        Language::SageMaker if operation.starts_with("Create") => {
            check_role(services, call, operation)
        }
        _ => Ok(()),
    }
}

/// What IAM says to a user's session, as in AWS: it would make itself keys that outlive it.
fn for_lasting_keys_only() -> Fault {
    let message = "The security token included in the request is invalid";
    Fault::new("InvalidClientTokenId", message).with_status(StatusCode::FORBIDDEN)
}

/// That something is not allowed, by the codes of the protocol.
pub(crate) fn denied(protocol: Protocol, words: String) -> Fault {
    match protocol {
        Protocol::Json => Fault::new("AccessDeniedException", words),
        Protocol::Query | Protocol::S3 => {
            Fault::new("AccessDenied", words).with_status(StatusCode::FORBIDDEN)
        }
    }
}

fn demands(
    services: &Services,
    call: &Call<'_>,
    language: Language,
    operation: &str,
) -> Result<Vec<Demand>, Fault> {
    let identity = &services.identity;
    Ok(match language {
        Language::SageMaker => {
            let mut demands = demand::of_sagemaker(operation, &call.json()?, identity);
            for demand in &mut demands {
                // Resources that are not there yet, or never were, have no tags.
                match services.store.tags.list(&demand.resource) {
                    Ok(tags) => demand.add_tags(&tags),
                    Err(StoreError::NoSuchResource) => {}
                    Err(error) => return Err(Fault::internal(&error)),
                }
            }
            demands
        }
        Language::Logs => demand::of_logs(operation, &call.json()?, identity),
        Language::CloudWatch => {
            vec![demand::of_cloudwatch(operation, &monitoring::input(call)?)]
        }
        Language::Iam => {
            let found = |kind, name: &str| {
                let found = services.store.principals.find(kind, name);
                let entity = found.ok().flatten()?;
                Some(entity_arn(&entity, identity))
            };
            let own = match &call.caller {
                Principal::User(user) => Some(user.name.as_str()),
                _ => None,
            };
            let parameter = |name: &str| call.parameter(name);
            demand::of_iam(operation, &parameter, own, &found, identity)
        }
        Language::Other(prefix) => vec![Demand::of_all(prefix, operation)],
    })
}

/// A role that was created here must trust the service that it is passed to. To one that
/// is a name only all is open that a request names; so only the owner, to whom all is
/// open anyway, has use for it.
fn check_role(services: &Services, call: &Call<'_>, operation: &str) -> Result<(), Fault> {
    let (input, identity) = (call.json()?, &services.identity);
    let Some(arn) = demand::passed_role(operation, &input) else {
        return Ok(());
    };
    let role = CreatedRole::named_by(arn, &services.store.principals, identity)?;
    let usable = match role {
        // A job may create none, and is told so by those who would.
        None => matches!(call.caller, Principal::Root | Principal::Job(_)),
        Some(role) => {
            let service = [Holder::Service(SAGEMAKER.to_owned())];
            let job = demand::sagemaker_resource(operation, &input, identity);
            let context = Context::default()
                .with("aws:SourceAccount", identity.account.as_str())
                .with("aws:SourceArn", job);
            // Other spellings of its name are no names for it.
            entity_arn(&role.principal, identity) == arn
                && trusts(&role.principal, &service, &context, arn) == Decision::Allowed
        }
    };
    if usable {
        return Ok(());
    }
    Err(Fault::new(
        "ValidationException",
        format!(
            "Could not assume role {arn}. Please ensure that the role exists and allows principal \
             '{SAGEMAKER}' to assume the role."
        ),
    ))
}

/// What a role's trust policy says to somebody who wants to assume it.
pub(crate) fn trusts(
    role: &Entity,
    holders: &[Holder],
    context: &Context,
    resource: &str,
) -> Decision {
    let trust = role.trust.as_deref().unwrap_or_default();
    // It was sound when it was stored.
    let Ok(policy) = Policy::parse(trust, Kind::Trust) else {
        return Decision::ImplicitlyDenied;
    };
    let request = Request {
        action: "sts:AssumeRole",
        resource,
        holders,
        context,
    };
    decide(&[policy], &request).decision
}

/// The ARN of an object, or of a bucket for lists of its keys.
pub(crate) fn s3_demand(access: &kiln_s3::Access<'_>, identity: &Identity) -> Demand {
    demand::of_s3(access, identity)
}
