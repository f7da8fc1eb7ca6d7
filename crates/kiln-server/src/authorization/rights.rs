//! What a principal may do, and the words for what it may not.

use kiln_policy::{Context, Decision, Policy, Request, decide};

/// All that is known of what somebody may do.
pub(crate) enum Rights {
    /// Everything.
    Owner,
    /// What policies allow.
    Policies {
        /// Those of the user or the role.
        own: Vec<Policy>,
        /// What a session was narrowed to.
        session: Option<Policy>,
    },
}

/// That something may not be done, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denial {
    explicit: bool,
    /// The kind of policy that does not let it be.
    by: &'static str,
}

const OWN: &str = "identity-based";
const SESSION: &str = "session";
/// A role's, of who may assume it.
const TRUST: &str = "role trust";

impl Rights {
    /// Judges one demand.
    pub(crate) fn judge(
        &self,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Result<(), Denial> {
        let decisions = self.decisions(action, resource, context);
        denial(&decisions).map_or(Ok(()), Err)
    }

    /// Judges what a role's trust policy lets somebody do by name: that needs no policy
    /// of their own that allows it, but none may deny it, and a session's must allow it.
    pub(crate) fn judge_trusted(
        &self,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Result<(), Denial> {
        let mut decisions = self.decisions(action, resource, context);
        decisions.retain(|one| *one != (OWN, Decision::ImplicitlyDenied));
        denial(&decisions).map_or(Ok(()), Err)
    }

    /// What each kind of policy decides.
    fn decisions(
        &self,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Vec<(&'static str, Decision)> {
        let Self::Policies { own, session } = self else {
            return Vec::new();
        };
        let request = Request {
            action,
            resource,
            holders: &[],
            context,
        };
        let decided = |policies: &[Policy]| decide(policies, &request).decision;
        let mut decisions = vec![(OWN, decided(own))];
        let session = session.as_ref().map(std::slice::from_ref);
        decisions.extend(session.map(|policies| (SESSION, decided(policies))));
        decisions
    }
}

/// The denial that is told of: an explicit one before an implicit one.
fn denial(decisions: &[(&'static str, Decision)]) -> Option<Denial> {
    let by = |wanted: Decision| {
        let mut decisions = decisions.iter();
        let found = decisions.find(|(_, decision)| *decision == wanted);
        found.map(|(by, _)| Denial {
            explicit: wanted == Decision::ExplicitlyDenied,
            by,
        })
    };
    by(Decision::ExplicitlyDenied).or_else(|| by(Decision::ImplicitlyDenied))
}

impl Denial {
    /// What nobody has spoken of.
    pub(crate) const UNSPOKEN: Self = Self {
        explicit: false,
        by: OWN,
    };

    /// That a role's trust policy does not let somebody assume it.
    pub(crate) const UNTRUSTED: Self = Self {
        explicit: false,
        by: TRUST,
    };

    /// That it denies this.
    pub(crate) const DISTRUSTED: Self = Self {
        explicit: true,
        by: TRUST,
    };

    /// AWS's words.
    pub(crate) fn words(self, who: &str, action: &str, resource: &str) -> String {
        let start =
            format!("User: {who} is not authorized to perform: {action} on resource: {resource}");
        let by = self.by;
        if self.explicit {
            let article = match by {
                OWN => "an",
                TRUST => "the",
                _ => "a",
            };
            format!("{start} with an explicit deny in {article} {by} policy")
        } else {
            format!("{start} because no {by} policy allows the {action} action")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_role_trusts_by_name_is_bound_by_denials_and_by_the_session() {
        let policy = |effect: &str| -> Policy {
            let statement = format!(r#"{{"Effect": "{effect}", "Action": "*", "Resource": "*"}}"#);
            let text = format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
            text.parse().unwrap()
        };
        let elsewhere: Policy = r#"{"Version": "2012-10-17", "Statement":
            {"Effect": "Allow", "Action": "c:d", "Resource": "*"}}"#
            .parse()
            .unwrap();
        let (allow, deny) = (policy("Allow"), policy("Deny"));
        // (own policy, session's policy, allowed, allowed to who is trusted)
        let cases = [
            (&allow, None, true, true),
            (&elsewhere, None, false, true),
            (&deny, None, false, false),
            (&allow, Some(&elsewhere), false, false),
            (&elsewhere, Some(&elsewhere), false, false),
            (&elsewhere, Some(&allow), false, true),
            (&elsewhere, Some(&deny), false, false),
        ];
        for (own, session, allowed, trusted) in cases {
            let rights = Rights::Policies {
                own: vec![own.clone()],
                session: session.cloned(),
            };
            let context = Context::default();
            let judged = rights.judge("a:b", "*", &context);
            assert_eq!(judged.is_ok(), allowed, "{own:?} {session:?}");
            let judged = rights.judge_trusted("a:b", "*", &context);
            assert_eq!(judged.is_ok(), trusted, "{own:?} {session:?}");
        }
    }

    #[test]
    fn the_denial_that_counts_is_told_of_in_awss_words() {
        use Decision::{Allowed as A, ExplicitlyDenied as E, ImplicitlyDenied as I};
        let cases = [
            ([A, A], None),
            (
                [I, A],
                Some("because no identity-based policy allows the a:b action"),
            ),
            (
                [A, I],
                Some("because no session policy allows the a:b action"),
            ),
            ([I, E], Some("with an explicit deny in a session policy")),
            (
                [E, I],
                Some("with an explicit deny in an identity-based policy"),
            ),
        ];
        for ([own, session], end) in cases {
            let found = denial(&[(OWN, own), (SESSION, session)]);
            let words = found.map(|denial| denial.words("me", "a:b", "it"));
            let expected = end.map(|end| {
                format!("User: me is not authorized to perform: a:b on resource: it {end}")
            });
            assert_eq!(words, expected);
        }
        let distrusted = Denial::DISTRUSTED.words("me", "a:b", "it");
        assert!(
            distrusted.ends_with("on resource: it with an explicit deny in the role trust policy")
        );
    }
}
