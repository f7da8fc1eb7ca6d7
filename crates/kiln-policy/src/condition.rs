//! One line of a `Condition` block: an operator, a key of the request, and the
//! values that it is compared with.

use serde_json::Value;

use crate::PolicyError;
use crate::comparison::{Network, date, number, truth};
use crate::context::Context;
use crate::element::{join, object, texts};
use crate::operator::{Comparison, Operator, Quantifier};
use crate::pattern::{Case, Pattern, Syntax};
use crate::statement::Effect;

/// A condition that a request meets or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    operator: Operator,
    key: String,
    values: Vec<Wanted>,
}

/// A value of the policy. ARNs are compared part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    whole: Pattern,
    parts: Option<Vec<Pattern>>,
}

/// How many parts an ARN has; the last may have colons of its own.
const ARN_PARTS: usize = 6;

impl Condition {
    /// The conditions of a `Condition` block.
    pub(crate) fn block(
        block: &Value,
        place: &str,
        variables: bool,
    ) -> Result<Vec<Self>, PolicyError> {
        let mut all = Vec::new();
        for (name, keys) in object(block, place)? {
            let place = join(place, name);
            let operator = Operator::named(name).ok_or_else(|| {
                PolicyError::at(&place, format!("Invalid Condition type : {name}."))
            })?;
            for (key, values) in object(keys, &place)? {
                let place = join(&place, key);
                if !key.contains(':') {
                    let reason = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
                    return Err(PolicyError::at(place, reason));
                }
                let values = texts(values, &place)?.into_iter();
                let values = values.map(|value| wanted(&value, operator, variables, &place));
                all.push(Self {
                    operator,
                    key: key.clone(),
                    values: values.collect::<Result<_, _>>()?,
                });
            }
        }
        Ok(all)
    }

    /// The keys of the request that it speaks of.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let within = self.values.iter().flat_map(|value| value.whole.keys());
        std::iter::once(self.key.as_str()).chain(within)
    }

    /// Whether a request meets it, as far as a statement with this effect is concerned.
    ///
    /// A key with several values that the policy takes for one is no way around it: to
    /// allow, all of them must be right, and to deny, one is enough.
    pub(crate) fn holds(&self, context: &Context, effect: Effect) -> bool {
        let found = context.get(&self.key);
        if self.operator.comparison == Comparison::Null {
            let absent = found.is_none().to_string();
            return self.agrees(&absent, context);
        }
        let operator = self.operator;
        let Some(found) = found.filter(|found| !found.is_empty()) else {
            return match operator.quantifier {
                Quantifier::Single => operator.if_exists || operator.negated,
                Quantifier::Any => operator.if_exists,
                Quantifier::All => true,
            };
        };
        if operator.negated && effect == Effect::Allow && !self.is_known(context) {
            return false;
        }
        let agrees = |one: &String| self.agrees(one, context) != operator.negated;
        match (operator.quantifier, effect) {
            (Quantifier::Any, _) | (Quantifier::Single, Effect::Deny) => found.iter().any(agrees),
            (Quantifier::All, _) | (Quantifier::Single, Effect::Allow) => found.iter().all(agrees),
        }
    }

    /// Whether the request has a value for each of the variables that it is compared with.
    fn is_known(&self, context: &Context) -> bool {
        let mut values = self.values.iter();
        values.all(|wanted| wanted.whole.is_known(context))
    }

    /// Whether a value of the request is one of those wanted.
    fn agrees(&self, found: &str, context: &Context) -> bool {
        let comparison = self.operator.comparison;
        self.values
            .iter()
            .any(|wanted| wanted.agrees(comparison, found, context))
    }
}

impl Wanted {
    fn agrees(&self, comparison: Comparison, found: &str, context: &Context) -> bool {
        let rendered = || self.whole.render(context);
        match comparison {
            Comparison::Text | Comparison::TextLike | Comparison::Binary => {
                self.whole.matches(found, context, Case::Exact)
            }
            Comparison::TextIgnoringCase => self.whole.matches(found, context, Case::Ignored),
            Comparison::Arn => self.is_arn(found, context),
            Comparison::Number(order) => {
                let wanted = rendered().and_then(|text| number(&text));
                let pair = number(found).zip(wanted);
                order.holds(pair.and_then(|(found, wanted)| found.partial_cmp(&wanted)))
            }
            Comparison::Date(order) => {
                let wanted = rendered().and_then(|text| date(&text));
                order.holds(
                    date(found)
                        .zip(wanted)
                        .map(|(found, wanted)| found.cmp(&wanted)),
                )
            }
            Comparison::Bool | Comparison::Null => {
                let wanted = rendered().and_then(|text| truth(&text));
                wanted.is_some() && wanted == truth(found)
            }
            Comparison::Address => {
                let network = rendered().and_then(|text| Network::parse(&text));
                let address = found.parse().ok();
                network
                    .zip(address)
                    .is_some_and(|(network, address)| network.holds(address))
            }
        }
    }

    fn is_arn(&self, found: &str, context: &Context) -> bool {
        let Some(parts) = &self.parts else {
            return self.whole.matches(found, context, Case::Exact);
        };
        let found: Vec<&str> = found.splitn(ARN_PARTS, ':').collect();
        found.len() == parts.len()
            && parts
                .iter()
                .zip(found)
                .all(|(part, found)| part.matches(found, context, Case::Exact))
    }
}

fn wanted(
    text: &str,
    operator: Operator,
    variables: bool,
    place: &str,
) -> Result<Wanted, PolicyError> {
    // What a variable will be is not known yet.
    let known = !(variables && text.contains("${"));
    let sound = !known
        || match operator.comparison {
            Comparison::Number(_) => number(text).is_some(),
            Comparison::Date(_) => date(text).is_some(),
            Comparison::Bool | Comparison::Null => truth(text).is_some(),
            Comparison::Address => Network::parse(text).is_some(),
            _ => true,
        };
    if !sound {
        let reason = format!("The value {text} is not of the type that the operator compares.");
        return Err(PolicyError::at(place, reason));
    }
    let syntax = Syntax {
        wildcards: operator.has_wildcards(),
        variables,
    };
    // Only a star alone stands for any ARN: every other one has all its parts.
    let by_parts = operator.comparison == Comparison::Arn && text != "*";
    let parts = by_parts.then(|| split_arn(text));
    let parse = |part: &str| Pattern::parse(part, syntax);
    Ok(Wanted {
        whole: parse(text),
        parts: parts.map(|parts| parts.into_iter().map(parse).collect()),
    })
}

/// The parts of an ARN. The colons within variables belong to them.
fn split_arn(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_u32);
    for (at, character) in text.char_indices() {
        match character {
            '{' if text[..at].ends_with('$') => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && parts.len() + 1 < ARN_PARTS => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}
