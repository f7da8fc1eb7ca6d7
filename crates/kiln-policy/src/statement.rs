//! One statement of a policy: whom it speaks of, what they do to what, when, and
//! whether that is allowed or denied.

use serde_json::{Map, Value};

use crate::condition::Condition;
use crate::decision::Request;
use crate::element::{join, object, texts};
use crate::pattern::{Case, Pattern, Syntax};
use crate::policy::Kind;
use crate::principal::Principals;
use crate::{Context, PolicyError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// A list, or all that is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed<T> {
    list: T,
    inverted: bool,
}

/// A statement, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    principals: Option<Listed<Principals>>,
    actions: Listed<Vec<Pattern>>,
    /// `None` in trust policies, whose resource is the role.
    resources: Option<Listed<Vec<Pattern>>>,
    conditions: Vec<Condition>,
}

const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl Statement {
    pub(crate) fn parse(
        value: &Value,
        place: &str,
        kind: Kind,
        variables: bool,
    ) -> Result<Self, PolicyError> {
        let members = object(value, place)?;
        if let Some(unknown) = members
            .keys()
            .find(|name| !ELEMENTS.contains(&name.as_str()))
        {
            let reason =
                format!("Syntax errors in policy: no statement has the element {unknown}.");
            return Err(PolicyError::at(join(place, unknown), reason));
        }
        let conditions = members.get("Condition").map(|block| {
            let place = join(place, "Condition");
            Condition::block(block, &place, variables)
        });
        let effect = effect(members, place)?;
        Ok(Self {
            sid: sid(members, place)?,
            effect,
            principals: principals(members, place, kind, effect)?,
            actions: actions(members, place)?,
            resources: resources(members, place, kind, variables)?,
            conditions: conditions.transpose()?.unwrap_or_default(),
        })
    }

    /// Whether it speaks of a request.
    pub(crate) fn applies(&self, request: &Request<'_>) -> bool {
        self.is_about(request.action, request.resource, request.context)
            && self.principals.as_ref().is_none_or(|principals| {
                principals.list.include(request.holders) != principals.inverted
            })
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(request.context, self.effect))
    }

    /// The keys of a request that it speaks of.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let resources = self.resources.iter().flat_map(|one| &one.list);
        resources
            .flat_map(Pattern::keys)
            .chain(self.conditions.iter().flat_map(Condition::keys))
    }

    fn is_about(&self, action: &str, resource: &str, context: &Context) -> bool {
        let any = |listed: &Listed<Vec<Pattern>>, value: &str, case| {
            let mut list = listed.list.iter();
            list.any(|one| one.matches(value, context, case)) != listed.inverted
        };
        // Who has no value for a variable is not allowed all but what it would name.
        let known = |listed: &Listed<Vec<Pattern>>| {
            let lacks = listed.inverted && self.effect == Effect::Allow;
            !lacks || listed.list.iter().all(|one| one.is_known(context))
        };
        any(&self.actions, action, Case::Ignored)
            && self
                .resources
                .as_ref()
                .is_none_or(|resources| any(resources, resource, Case::Exact) && known(resources))
    }
}

fn sid(members: &Map<String, Value>, place: &str) -> Result<Option<String>, PolicyError> {
    match members.get("Sid") {
        None => Ok(None),
        Some(Value::String(text)) if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(PolicyError::at(
            join(place, "Sid"),
            "Statement IDs (SID) must be alpha-numeric.",
        )),
    }
}

fn effect(members: &Map<String, Value>, place: &str) -> Result<Effect, PolicyError> {
    match members.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Ok(Effect::Allow),
        Some("Deny") => Ok(Effect::Deny),
        _ => Err(PolicyError::at(
            join(place, "Effect"),
            "Syntax errors in policy: the effect must be Allow or Deny.",
        )),
    }
}

/// The member with this name or with its negation; not both may be there.
fn either<'a>(
    members: &'a Map<String, Value>,
    place: &str,
    name: &str,
) -> Result<Option<(&'a Value, String, bool)>, PolicyError> {
    let not = format!("Not{name}");
    match (members.get(name), members.get(&not)) {
        (Some(_), Some(_)) => {
            let reason = format!("Statement/policy cannot have both {name} and {not}.");
            Err(PolicyError::at(place, reason))
        }
        (Some(value), None) => Ok(Some((value, join(place, name), false))),
        (None, Some(value)) => Ok(Some((value, join(place, &not), true))),
        (None, None) => Ok(None),
    }
}

fn principals(
    members: &Map<String, Value>,
    place: &str,
    kind: Kind,
    effect: Effect,
) -> Result<Option<Listed<Principals>>, PolicyError> {
    match (kind, either(members, place, "Principal")?) {
        (Kind::Identity, None) => Ok(None),
        (Kind::Identity, Some((_, place, _))) => Err(PolicyError::at(
            place,
            "Policy document should not specify a principal.",
        )),
        (Kind::Trust, None) => Err(PolicyError::at(
            place,
            "Policy document must contain a principal in each statement.",
        )),
        // The account is not who is left out, and so would let it in.
        (Kind::Trust, Some((_, place, true))) if effect == Effect::Allow => {
            let reason = "Allow with NotPrincipal is not allowed.";
            Err(PolicyError::at(place, reason))
        }
        (Kind::Trust, Some((value, place, inverted))) => {
            let list = Principals::parse(value, &place)?;
            Ok(Some(Listed { list, inverted }))
        }
    }
}

fn actions(members: &Map<String, Value>, place: &str) -> Result<Listed<Vec<Pattern>>, PolicyError> {
    let Some((value, place, inverted)) = either(members, place, "Action")? else {
        return Err(PolicyError::at(
            place,
            "Policy statement must contain actions.",
        ));
    };
    let all = listed(value, &place, "actions")?;
    if let Some(odd) = all.iter().find(|action| !is_action(action)) {
        let reason = format!(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {odd}"
        );
        return Err(PolicyError::at(place, reason));
    }
    let syntax = Syntax {
        wildcards: true,
        variables: false,
    };
    let list = all.iter().map(|one| Pattern::parse(one, syntax)).collect();
    Ok(Listed { list, inverted })
}

/// `*`, or a service and what is done with it.
fn is_action(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text == "*"
        || text.split_once(':').is_some_and(|(service, action)| {
            !service.is_empty() && service.chars().all(word) && !action.is_empty()
        })
}

fn resources(
    members: &Map<String, Value>,
    place: &str,
    kind: Kind,
    variables: bool,
) -> Result<Option<Listed<Vec<Pattern>>>, PolicyError> {
    let (value, place, inverted) = match (kind, either(members, place, "Resource")?) {
        (Kind::Identity, Some(found)) => found,
        (Kind::Identity, None) => {
            return Err(PolicyError::at(
                place,
                "Policy statement must contain resources.",
            ));
        }
        (Kind::Trust, None) => return Ok(None),
        (Kind::Trust, Some((_, place, _))) => {
            return Err(PolicyError::at(place, "Has prohibited field Resource."));
        }
    };
    let all = listed(value, &place, "resources")?;
    if let Some(odd) = all.iter().find(|resource| !is_resource(resource)) {
        let reason = format!("Resource {odd} must be in ARN format or \"*\".");
        return Err(PolicyError::at(place, reason));
    }
    let syntax = Syntax {
        wildcards: true,
        variables,
    };
    let list = all.iter().map(|one| Pattern::parse(one, syntax)).collect();
    Ok(Some(Listed { list, inverted }))
}

fn is_resource(text: &str) -> bool {
    text == "*" || (text.starts_with("arn:") && text.split(':').count() >= 6) || text == "arn:*"
}

fn listed(value: &Value, place: &str, what: &str) -> Result<Vec<String>, PolicyError> {
    let all = texts(value, place)?;
    if all.is_empty() {
        let reason = format!("Policy statement must contain {what}.");
        return Err(PolicyError::at(place, reason));
    }
    Ok(all)
}
