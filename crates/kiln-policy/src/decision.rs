//! What policies say to a request.

use crate::principal::Holder;
use crate::statement::Effect;
use crate::{Context, Policy};

/// What somebody asks to do.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The action, such as `s3:GetObject`.
    pub action: &'a str,
    /// The ARN of what it is done to, or `*`.
    pub resource: &'a str,
    /// The names of who asks. Only trust policies look at them.
    pub holders: &'a [Holder],
    /// The facts that conditions speak of.
    pub context: &'a Context,
}

/// Whether something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it, and none denies it.
    Allowed,
    /// A statement denies it.
    ExplicitlyDenied,
    /// No statement speaks of it.
    ImplicitlyDenied,
}

impl Decision {
    /// What is decided where two sets of policies must both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::ExplicitlyDenied, _) | (_, Self::ExplicitlyDenied) => Self::ExplicitlyDenied,
            (Self::Allowed, Self::Allowed) => Self::Allowed,
            _ => Self::ImplicitlyDenied,
        }
    }
}

/// A decision, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The decision.
    pub decision: Decision,
    /// The positions of the policies whose statements made it, each once.
    pub from: Vec<usize>,
}

/// What these policies, which all belong to one identity, say to a request.
#[must_use]
pub fn decide(policies: &[Policy], request: &Request<'_>) -> Verdict {
    let speaking = |effect: Effect| -> Vec<usize> {
        let numbered = policies.iter().enumerate();
        let spoke = numbered.filter(|(_, policy)| {
            let mut statements = policy.statements.iter();
            statements.any(|one| one.effect == effect && one.applies(request))
        });
        spoke.map(|(index, _)| index).collect()
    };
    let denied = speaking(Effect::Deny);
    if !denied.is_empty() {
        return Verdict {
            decision: Decision::ExplicitlyDenied,
            from: denied,
        };
    }
    let allowed = speaking(Effect::Allow);
    let decision = if allowed.is_empty() {
        Decision::ImplicitlyDenied
    } else {
        Decision::Allowed
    };
    Verdict {
        decision,
        from: allowed,
    }
}
