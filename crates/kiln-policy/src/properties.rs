//! Properties that hold for all documents and all requests.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::pattern::{Case, Pattern, Syntax};
use crate::{Context, Decision, Kind, Policy, Request, decide};

const PLAIN: Syntax = Syntax {
    wildcards: true,
    variables: false,
};

/// The same by trying everything.
fn slow(pattern: &[char], value: &[char]) -> bool {
    match pattern.split_first() {
        None => value.is_empty(),
        Some(('*', rest)) => (0..=value.len()).any(|from| slow(rest, &value[from..])),
        Some((one, rest)) => value
            .split_first()
            .is_some_and(|(first, after)| (*one == '?' || one == first) && slow(rest, after)),
    }
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop_oneof![
            Just("Allow".to_owned()),
            Just("*".to_owned()),
            Just("s3:*".to_owned()),
            "[a-z${}:*?/]{0,12}",
        ]
        .prop_map(Value::from),
    ];
    let names = prop_oneof![
        Just("Effect"),
        Just("Action"),
        Just("Resource"),
        Just("Condition"),
        Just("Principal"),
        Just("NotAction"),
        Just("StringLike"),
        Just("NumericEquals"),
        Just("ArnLike"),
        Just("aws:username"),
        Just("Sid"),
        Just("AWS"),
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let members = prop::collection::vec((names.clone(), inner.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect()),
        ]
    })
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("s3:GetObject"),
        Just("s3:PutObject"),
        Just("s3:*"),
        Just("*"),
        Just("iam:*"),
        Just("s3:Get*"),
    ]
    .prop_map(str::to_owned)
}

fn statements() -> impl Strategy<Value = Value> {
    let effect = prop_oneof![Just("Allow"), Just("Deny")];
    let name = prop_oneof![Just("Action"), Just("NotAction")];
    (effect, name, prop::collection::vec(words(), 1..3)).prop_map(
        |(effect, name, actions)| json!({"Effect": effect, name: actions, "Resource": "*"}),
    )
}

fn policy(statements: &[Value]) -> Policy {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    document.to_string().parse().unwrap()
}

fn decided(policies: &[Policy]) -> Decision {
    let request = Request {
        action: "s3:GetObject",
        resource: "arn:aws:s3:::b/k",
        holders: &[],
        context: &Context::default(),
    };
    decide(policies, &request).decision
}

proptest! {
    #[test]
    fn wildcards_match_what_they_mean(pattern in "[ab*?]{0,10}", value in "[ab]{0,12}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let fast = Pattern::parse(&pattern, PLAIN);
        let matches = fast.matches(&value, &Context::default(), Case::Exact);
        prop_assert_eq!(matches, slow(&chars(&pattern), &chars(&value)));
    }

    #[test]
    fn a_variable_is_text_and_no_pattern(value in "[a-z*?$,{}]{1,10}", other in "[a-z*?]{1,10}") {
        let syntax = Syntax { wildcards: true, variables: true };
        let pattern = Pattern::parse("<${aws:username}>", syntax);
        let context = Context::default().with("aws:username", value.clone());
        let matches = |value: &str| pattern.matches(&format!("<{value}>"), &context, Case::Exact);
        prop_assert!(matches(&value));
        prop_assert_eq!(matches(&other), value == other);
    }

    #[test]
    fn any_document_is_read_or_refused(statement in json_values(), trust in any::<bool>()) {
        let kind = if trust { Kind::Trust } else { Kind::Identity };
        let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        if let Ok(policy) = Policy::parse(&text, kind) {
            decided(&[policy]);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,64}") {
        prop_assert!(text.parse::<Policy>().is_err());
    }

    #[test]
    fn neither_order_nor_grouping_matters(
        all in prop::collection::vec(statements(), 1..6), cut in 0_usize..6,
    ) {
        let together = decided(&[policy(&all)]);
        let mut turned = all.clone();
        turned.reverse();
        prop_assert_eq!(together, decided(&[policy(&turned)]));
        let (one, other) = all.split_at(cut.min(all.len()));
        let parts: Vec<Policy> = [one, other]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(policy)
            .collect();
        prop_assert_eq!(together, decided(&parts));
    }

    #[test]
    fn more_denials_never_allow_more(all in prop::collection::vec(statements(), 1..5)) {
        let deny = json!({"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"});
        let with = [&all[..], &[deny]].concat();
        prop_assert_eq!(decided(&[policy(&with)]), Decision::ExplicitlyDenied);
    }
}
