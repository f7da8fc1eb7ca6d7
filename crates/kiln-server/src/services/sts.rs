//! STS: who somebody is, and short-lived keys: for a role that is assumed, and for
//! those who ask for some of their own.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use kiln_jobs::CreatedRole;
use kiln_policy::{Decision, Policy};
use kiln_store::principals::{AssumedSession, Principal as Entity};
use quick_xml::escape::escape;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::iam::{USUAL_SESSION, malformed};
use super::{Call, Services};
use crate::authorization::{Denial, arn, denied, entity_arn, facts, names, trusts, user_id};
use crate::keyring::{Principal, RoleSession, new_secret};
use crate::random::{letters, random};
use crate::reply::{Fault, Protocol, Reply, xml};

/// The shortest session, in seconds.
const SHORTEST: i64 = 900;
/// The longest that a session may ask for which is begun with a session.
const LONGEST_CHAINED: i64 = 3600;
/// The longest session of a user's own, and the usual one.
const LONGEST_OWN: i64 = 129_600;
const USUAL_OWN: i64 = 43_200;
/// The longest policy of a session.
const LONGEST_POLICY: usize = 2048;
const ASSUME: &str = "sts:AssumeRole";

pub(crate) async fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    match call.parameter("Action").as_deref() {
        Some("GetCallerIdentity") => Ok(caller_identity(services, &call.caller)),
        Some("AssumeRole") => assume_role(services, call).await,
        Some("GetSessionToken") => session_token(services, call).await,
        action => Err(Fault::new(
            "InvalidAction",
            format!(
                "Could not find operation {} for version 2011-06-15",
                action.unwrap_or("''")
            ),
        )
        .with_status(StatusCode::BAD_REQUEST)),
    }
}

fn caller_identity(services: &Services, caller: &Principal) -> Reply {
    let identity = &services.identity;
    let (arn, id) = (arn(caller, identity), user_id(caller, identity));
    let account = &identity.account;
    // Paths may have any character in them.
    let arn = escape(&arn);
    reply(
        "GetCallerIdentity",
        &format!("<Arn>{arn}</Arn><UserId>{id}</UserId><Account>{account}</Account>"),
    )
}

async fn assume_role(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    let (role_arn, name) = (
        required(call, "RoleArn")?,
        required(call, "RoleSessionName")?,
    );
    if !is_session_name(&name) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    refuse_unserved(call)?;
    let principals = &services.store.principals;
    let role = CreatedRole::named_by(&role_arn, principals, &services.identity)?;
    // A role that is not there is refused as one that trusts nobody.
    let refused = || not_allowed(services, call, &role_arn, Denial::UNTRUSTED);
    let role = role.ok_or_else(refused)?.principal;
    if entity_arn(&role, &services.identity) != role_arn {
        return Err(refused());
    }
    may_assume(services, call, &role, &role_arn)?;
    let policy = narrowing(call)?;
    let chained = matches!(call.caller, Principal::Role(_));
    let longest = match chained {
        true => LONGEST_CHAINED,
        false => role.longest_session.unwrap_or(USUAL_SESSION),
    };
    let seconds = duration(call, USUAL_SESSION, longest)?;
    let session = begin(services, seconds, |keys| AssumedSession {
        owner: Some(role.id.clone()),
        name: Some(name.clone()),
        policy: policy.clone(),
        ..keys
    })
    .await?;
    let assumed = Principal::Role(RoleSession { role, name, policy });
    let identity = &services.identity;
    let (arn, id) = (arn(&assumed, identity), user_id(&assumed, identity));
    let user = format!(
        "<AssumedRoleUser><AssumedRoleId>{id}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>"
    );
    Ok(reply("AssumeRole", &(credentials(&session) + &user)))
}

/// The policy that a session is to be narrowed to.
fn narrowing(call: &Call<'_>) -> Result<Option<String>, Fault> {
    let policy = call.parameter("Policy");
    let length = policy.as_deref().map(|text| text.chars().count());
    if length.is_some_and(|length| length > LONGEST_POLICY) {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member \
             must have length less than or equal to {LONGEST_POLICY}"
        )));
    }
    let sound = policy.as_deref().map(str::parse::<Policy>).transpose();
    sound.map(|_| policy).map_err(|error| malformed(&error))
}

/// Who a role's trust policy names may assume it; who it names by their account
/// needs a policy besides that allows it.
fn may_assume(
    services: &Services,
    call: &Call<'_>,
    role: &Entity,
    resource: &str,
) -> Result<(), Fault> {
    let mut context = facts(&call.caller, &services.identity);
    if let Some(id) = call.parameter("ExternalId") {
        context.add("sts:ExternalId", id);
    }
    if let Some(name) = call.parameter("RoleSessionName") {
        context.add("sts:RoleSessionName", name);
    }
    let (own, account) = names(&call.caller, &services.identity);
    let directly = trusts(role, &own, &context, resource);
    let by_account = trusts(role, &account, &context, resource);
    let rights = services.keyring.rights(&call.caller)?;
    let judged = match (directly, by_account) {
        (Decision::ExplicitlyDenied, _) | (_, Decision::ExplicitlyDenied) => {
            Err(Denial::DISTRUSTED)
        }
        (Decision::Allowed, _) => rights.judge_trusted(ASSUME, resource, &context),
        (_, Decision::Allowed) => rights.judge(ASSUME, resource, &context),
        _ => Err(Denial::UNTRUSTED),
    };
    judged.map_err(|denial| not_allowed(services, call, resource, denial))
}

fn not_allowed(services: &Services, call: &Call<'_>, resource: &str, denial: Denial) -> Fault {
    let who = arn(&call.caller, &services.identity);
    denied(Protocol::Query, denial.words(&who, ASSUME, resource))
}

/// Nothing that narrows or marks a session is passed over.
fn refuse_unserved(call: &Call<'_>) -> Result<(), Fault> {
    let first = |name: &str| call.parameter(&format!("{name}.member.1"));
    let lists = [
        ("PolicyArns", ".arn"),
        ("Tags", ".Key"),
        ("TransitiveTagKeys", ""),
        ("ProvidedContexts", ".ProviderArn"),
    ];
    if call.parameter("SourceIdentity").is_some() {
        return Err(invalid(
            "Kiln's sessions have no SourceIdentity.".to_owned(),
        ));
    }
    let mut given = lists.iter().filter(|(name, rest)| {
        let whole = format!("{name}.member.1{rest}");
        first(name).is_some() || call.parameter(&whole).is_some()
    });
    match given.next() {
        None => Ok(()),
        Some((name, _)) => Err(invalid(format!("Kiln's sessions have no {name}."))),
    }
}

async fn session_token(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    let owner = match &call.caller {
        Principal::Root => None,
        Principal::User(user) => Some(user.id.clone()),
        Principal::Role(_) | Principal::Job(_) => return Err(with_session()),
    };
    // A session that could make another one would never end.
    if call.has_token() {
        return Err(with_session());
    }
    let seconds = duration(call, USUAL_OWN, LONGEST_OWN)?;
    let session = begin(services, seconds, |keys| AssumedSession {
        owner: owner.clone(),
        ..keys
    })
    .await?;
    Ok(reply("GetSessionToken", &credentials(&session)))
}

fn with_session() -> Fault {
    denied(
        Protocol::Query,
        "Cannot call GetSessionToken with session credentials".to_owned(),
    )
}

/// Begins a session with new keys, of which `describe` says whose they are.
async fn begin(
    services: &Services,
    seconds: i64,
    describe: impl FnOnce(AssumedSession) -> AssumedSession,
) -> Result<AssumedSession, Fault> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let keys = new_keys((now + seconds) * 1000).map_err(|error| Fault::internal(&error))?;
    let session = describe(keys);
    let principals = &services.store.principals;
    let begun = principals.begin_session(session.clone(), now * 1000).await;
    begun.map_err(|error| Fault::internal(&error))?;
    Ok(session)
}

fn new_keys(expires: i64) -> io::Result<AssumedSession> {
    Ok(AssumedSession {
        access_key: format!("ASIA{}", letters(16)?),
        secret: new_secret()?,
        token: URL_SAFE_NO_PAD.encode(random(96)?),
        owner: None,
        name: None,
        policy: None,
        expires,
    })
}

fn credentials(session: &AssumedSession) -> String {
    let expires = OffsetDateTime::from_unix_timestamp(session.expires / 1000).ok();
    let expires = expires.and_then(|expires| expires.format(&Rfc3339).ok());
    format!(
        "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>",
        session.access_key,
        session.secret,
        session.token,
        expires.unwrap_or_default()
    )
}

/// For how many seconds a request wants its session.
fn duration(call: &Call<'_>, usual: i64, longest: i64) -> Result<i64, Fault> {
    let Some(given) = call.parameter("DurationSeconds") else {
        return Ok(usual.min(longest));
    };
    let seconds = given.parse().ok();
    seconds
        .filter(|seconds| (SHORTEST..=longest).contains(seconds))
        .ok_or_else(|| {
            invalid(format!(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role: \
                 it must be between {SHORTEST} and {longest}, and is {given}."
            ))
        })
}

fn required(call: &Call<'_>, name: &str) -> Result<String, Fault> {
    call.parameter(name).ok_or_else(|| {
        let mut member = name.to_owned();
        member[..1].make_ascii_lowercase();
        invalid(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
             Member must not be null"
        ))
    })
}

fn invalid(message: String) -> Fault {
    Fault::new("ValidationError", message)
}

/// STS's pattern for a session's name: `[\w+=,.@-]{2,64}`.
fn is_session_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (2..=64).contains(&name.len()) && name.chars().all(allowed)
}

fn reply(operation: &str, result: &str) -> Reply {
    xml(format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </{operation}Response>",
        uuid::Uuid::new_v4()
    ))
}
