//! What policies would say, by the same evaluator that decides about requests.
//!
//! To a role that is a name only nothing is denied, so that a client which asks
//! before it sends a job sends it.

use kiln_policy::{Context, Decision, Policy, Request as Asked, decide};
use kiln_store::principals::{Grants, PrincipalKind};

use super::answer::{Answer, Page, element, list, missing, text};
use super::member::{LONGEST_ROLE, is_name, members, numbered};
use super::{Fault, Request, invalid, malformed, managed};
use crate::authorization::entity_arn;

/// Policies, with what each is called.
struct Sources {
    policies: Vec<Policy>,
    names: Vec<(String, &'static str)>,
    /// Whether everything is allowed that they do not speak of.
    open: bool,
}

/// SimulatePrincipalPolicy: what the policies of a user or a role say, with those
/// that the request adds.
pub(super) fn of_principal(request: &Request<'_>) -> Result<Answer, Fault> {
    let source = request.required("PolicySourceArn")?;
    let mut sources = of_arn(request, &source)?;
    add_documents(request, &mut sources)?;
    simulate(request, &sources)
}

/// SimulateCustomPolicy: what the policies of the request itself say.
pub(super) fn of_documents(request: &Request<'_>) -> Result<Answer, Fault> {
    let mut sources = Sources {
        policies: Vec::new(),
        names: Vec::new(),
        open: false,
    };
    add_documents(request, &mut sources)?;
    simulate(request, &sources)
}

fn of_arn(request: &Request<'_>, arn: &str) -> Result<Sources, Fault> {
    let Some((kind, name)) = entity_named(arn) else {
        let message =
            format!("Invalid Entity Arn: {arn} does not clearly define entity type and name.");
        return Err(Fault::new("InvalidInput", message));
    };
    let principals = &request.services.store.principals;
    let found = principals.find(kind, name);
    let found = found.map_err(|error| Fault::internal(&error))?;
    let no_entity = || missing(&format!("Entity {arn} cannot be found."));
    let entity = match found {
        // Who may ask about it may do so by its own name.
        Some(entity) if entity_arn(&entity, &request.services.identity) != arn => {
            return Err(no_entity());
        }
        Some(entity) => entity,
        None if kind == PrincipalKind::User => return Err(no_entity()),
        None => {
            return Ok(Sources {
                policies: Vec::new(),
                names: Vec::new(),
                open: true,
            });
        }
    };
    let grants = principals.grants(&entity.id);
    let grants = grants.map_err(|error| Fault::internal(&error))?;
    Ok(Sources {
        policies: kiln_jobs::policies(principals, &entity.id)?,
        names: names(&grants, kind, &entity.name),
        open: false,
    })
}

/// What the policies are called, in the order in which they are read.
fn names(grants: &Grants, kind: PrincipalKind, owner: &str) -> Vec<(String, &'static str)> {
    let own = if kind == PrincipalKind::User {
        "user"
    } else {
        "role"
    };
    let inline = grants
        .inline
        .iter()
        .map(|(name, _)| (format!("{own}_{owner}_{name}"), own));
    let attached = grants
        .attached
        .iter()
        .map(|(arn, _)| (managed::name_in(arn).to_owned(), "IAM Policy"));
    inline.chain(attached).collect()
}

fn add_documents(request: &Request<'_>, sources: &mut Sources) -> Result<(), Fault> {
    let given = numbered(request.call.body, "PolicyInputList", "");
    for (number, document) in given {
        sources
            .policies
            .push(document.parse().map_err(|error| malformed(&error))?);
        let name = format!("PolicyInputList.{number}");
        sources.names.push((name, "IAM Policy"));
    }
    Ok(())
}

/// Kinds of policies that Kiln does not have, and so does not simulate either.
const UNKNOWN: [&str; 2] = [
    "ResourcePolicy",
    "PermissionsBoundaryPolicyInputList.member.1",
];

/// The decisions, one for each action on each resource.
fn simulate(request: &Request<'_>, sources: &Sources) -> Result<Answer, Fault> {
    if let Some(unknown) = UNKNOWN
        .iter()
        .find(|name| request.parameter(name).is_some())
    {
        let message = format!("{unknown} must be left out: Kiln has no such policies.");
        return Err(Fault::new("InvalidInput", message));
    }
    let body = request.call.body;
    let mut resources = members(body, "ResourceArns", "");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let context = context(body);
    let actions = members(body, "ActionNames", "");
    require_lengths("actionNames", &actions, LONGEST_ACTION)?;
    require_lengths("resourceArns", &resources, LONGEST_RESOURCE)?;
    // There can be many more pairs than a page has room for, or memory.
    let count = actions.len().saturating_mul(resources.len());
    let page = Page::asked_by(request)?.of("EvaluationResults", count, |index| {
        let action = &actions[index / resources.len()];
        let resource = &resources[index % resources.len()];
        result(sources, action, resource, &context)
    });
    Ok(Answer::Result(page))
}

/// The limits on the names of actions and resources.
const LONGEST_ACTION: usize = 128;
const LONGEST_RESOURCE: usize = 2048;

fn require_lengths(member: &str, all: &[String], longest: usize) -> Result<(), Fault> {
    match all.iter().any(|one| one.len() > longest) {
        true => Err(invalid(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
             Member must satisfy constraint: [Member must have length less than or equal to \
             {longest}]"
        ))),
        false => Ok(()),
    }
}

/// The context keys that a request names, and their values.
fn context(body: &[u8]) -> Context {
    let mut context = Context::default();
    for (number, key) in numbered(body, "ContextEntries", ".ContextKeyName") {
        let place = format!("ContextEntries.member.{number}.ContextKeyValues");
        context.add_all(&key, members(body, &place, ""));
    }
    context
}

fn result(sources: &Sources, action: &str, resource: &str, context: &Context) -> String {
    let verdict = decide(
        &sources.policies,
        &Asked {
            action,
            resource,
            holders: &[],
            context,
        },
    );
    let decision = match verdict.decision {
        Decision::Allowed => "allowed",
        Decision::ExplicitlyDenied => "explicitDeny",
        Decision::ImplicitlyDenied if sources.open => "allowed",
        Decision::ImplicitlyDenied => "implicitDeny",
    };
    let named = verdict
        .from
        .iter()
        .filter_map(|from| sources.names.get(*from));
    let matched: Vec<String> = named
        .map(|(name, kind)| text("SourcePolicyId", name) + &text("SourcePolicyType", kind))
        .collect();
    let keys = sources.policies.iter().flat_map(Policy::context_keys);
    let lacking: std::collections::BTreeSet<String> =
        keys.filter(|key| context.get(key).is_none()).collect();
    let lacking: Vec<String> = lacking.into_iter().collect();
    text("EvalActionName", action)
        + &text("EvalResourceName", resource)
        + &element("EvalDecision", decision)
        + &list("MatchedStatements", &matched)
        + &list("MissingContextValues", &lacking)
}

/// The user or role in `arn:<partition>:iam::<account>:<kind>/<path and name>`.
fn entity_named(arn: &str) -> Option<(PrincipalKind, &str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else {
        return None;
    };
    let (kind, path) = resource.split_once('/')?;
    let kind = match kind {
        "role" => PrincipalKind::Role,
        "user" => PrincipalKind::User,
        _ => return None,
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let sound = partition.starts_with("aws")
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && is_name(name, LONGEST_ROLE);
    sound.then_some((kind, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_roles_are_told_from_other_principals() {
        use PrincipalKind::{Role, User};
        for (arn, expected) in [
            (
                "arn:aws:iam::123456789012:role/MyRole",
                Some((Role, "MyRole")),
            ),
            (
                "arn:aws-cn:iam::123456789012:role/a/b/MyRole",
                Some((Role, "MyRole")),
            ),
            ("arn:aws:iam::123456789012:user/me", Some((User, "me"))),
            ("arn:aws:iam::123456789012:root", None),
            ("arn:aws:iam::12345:role/MyRole", None),
            ("arn:aws:iam::123456789012:role/", None),
            ("arn:aws:sts::123456789012:assumed-role/MyRole/me", None),
            ("MyRole", None),
            ("", None),
        ] {
            assert_eq!(entity_named(arn), expected, "{arn}");
        }
    }

    #[test]
    fn a_result_says_what_decides_and_what_was_not_known() {
        let policy = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
            "Action": "s3:Get*", "Resource": "*",
            "Condition": {"StringLike": {"s3:prefix": "a*"}}}}"#;
        let sources = Sources {
            policies: vec![policy.parse().unwrap()],
            names: vec![("p<1>".to_owned(), "user")],
            open: false,
        };
        let body = b"ContextEntries.member.1.ContextKeyName=s3:prefix\
            &ContextEntries.member.1.ContextKeyValues.member.1=abc";
        let allowed = result(&sources, "s3:GetObject", "*", &context(body));
        assert!(
            allowed.contains("<EvalDecision>allowed</EvalDecision>"),
            "{allowed}"
        );
        assert!(
            allowed.contains("<SourcePolicyId>p&lt;1&gt;</SourcePolicyId>"),
            "{allowed}"
        );
        let unknown = result(&sources, "s3:GetObject", "*", &Context::default());
        assert!(
            unknown.contains("<EvalDecision>implicitDeny</EvalDecision>"),
            "{unknown}"
        );
        assert!(unknown.contains("<member>s3:prefix</member>"), "{unknown}");
    }
}
