//! Tables: what documents say to requests.

mod conditions;
mod documents;

use crate::{Context, Decision, Holder, Kind, Policy, Request, decide};

const ALICE: &str = "arn:aws:iam::123456789012:user/alice";
const OBJECT: &str = "arn:aws:s3:::data/alice/a.csv";

fn context() -> Context {
    let mut context = Context::default()
        .with("aws:username", "alice")
        .with("aws:PrincipalArn", ALICE)
        .with("aws:SourceIp", "10.1.2.3")
        .with("aws:CurrentTime", "2026-06-01T12:00:00Z")
        .with("aws:SecureTransport", "false")
        .with("aws:RequestTag/team", "vision")
        .with("sagemaker:MaxRuntimeInSeconds", "3600")
        .with("odd:star", "*");
    context.add_all("sagemaker:InstanceTypes", ["ml.m5.large", "ml.m5.xlarge"]);
    context.add_all("aws:TagKeys", ["team", "Cost"]);
    context
}

fn decided(policies: &[Policy], action: &str, resource: &str) -> Decision {
    let request = Request {
        action,
        resource,
        holders: &[],
        context: &context(),
    };
    decide(policies, &request).decision
}

fn policy(statements: &str) -> Policy {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": {statements}}}"#);
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn actions_and_resources_are_matched() {
    let allowed = [
        (r#""Action": "s3:GetObject""#, r#""Resource": "*""#),
        (r#""Action": "S3:getobject""#, r#""Resource": "*""#),
        (r#""Action": "*""#, r#""Resource": "*""#),
        (r#""Action": "s3:*""#, r#""Resource": "arn:aws:s3:::*""#),
        (
            r#""Action": "s3:Get*""#,
            r#""Resource": "arn:aws:s3:::data/*""#,
        ),
        (
            r#""Action": "s3:Get?bject""#,
            r#""Resource": "arn:aws:s3:::dat?/*""#,
        ),
        (
            r#""Action": ["a:b", "s3:GetObject"]"#,
            r#""Resource": ["arn:aws:s3:::x", "arn:aws:s3:::data/alice/a.csv"]"#,
        ),
        (r#""NotAction": "iam:*""#, r#""Resource": "*""#),
        (
            r#""Action": "s3:*""#,
            r#""NotResource": "arn:aws:s3:::secret/*""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::data/${aws:username}/*""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::data/${AWS:UserName}/*""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::data/${none:such, 'alice'}/*""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::*/*/*.csv""#,
        ),
    ];
    for (action, resource) in allowed {
        let one = policy(&format!(r#"{{"Effect": "Allow", {action}, {resource}}}"#));
        assert_eq!(
            decided(&[one], "s3:GetObject", OBJECT),
            Decision::Allowed,
            "{action} {resource}"
        );
    }
    let denied = [
        (r#""Action": "s3:PutObject""#, r#""Resource": "*""#),
        (r#""Action": "s3:GetObjec""#, r#""Resource": "*""#),
        (r#""Action": "s3:GetObject?""#, r#""Resource": "*""#),
        (r#""NotAction": "s3:*""#, r#""Resource": "*""#),
        (r#""NotAction": ["iam:*", "s3:Get*"]"#, r#""Resource": "*""#),
        (r#""Action": "s3:*""#, r#""Resource": "arn:aws:s3:::data""#),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::DATA/*""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::data/alice/""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""NotResource": "arn:aws:s3:::data/*""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::data/${none:such}/*""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::data/${odd:star}/*""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::data/${sagemaker:InstanceTypes}/*""#,
        ),
        (
            r#""Action": "s3:*""#,
            r#""Resource": "arn:aws:s3:::data/${*}/a.csv""#,
        ),
    ];
    for (action, resource) in denied {
        let one = policy(&format!(r#"{{"Effect": "Allow", {action}, {resource}}}"#));
        assert_eq!(
            decided(&[one], "s3:GetObject", OBJECT),
            Decision::ImplicitlyDenied,
            "{action} {resource}"
        );
    }
}

#[test]
fn an_explicit_deny_wins_wherever_it_stands() {
    let allow = policy(r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#);
    let deny =
        policy(r#"{"Effect": "Deny", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::data/*"}"#);
    let both = policy(
        r#"[{"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"},
            {"Effect": "Allow", "Action": "*", "Resource": "*"}]"#,
    );
    let all = [allow, deny];
    assert_eq!(decided(&all, "s3:GetObject", OBJECT), Decision::Allowed);
    assert_eq!(
        decided(&all, "s3:DeleteObject", OBJECT),
        Decision::ExplicitlyDenied
    );
    assert_eq!(
        decided(&all, "s3:DeleteObject", "arn:aws:s3:::x/y"),
        Decision::Allowed
    );
    assert_eq!(
        decided(&all, "iam:ListUsers", "*"),
        Decision::ImplicitlyDenied
    );
    assert_eq!(
        decided(&[both], "s3:DeleteObject", "*"),
        Decision::ExplicitlyDenied
    );
    assert_eq!(
        decided(&[], "s3:GetObject", OBJECT),
        Decision::ImplicitlyDenied
    );
}

#[test]
fn a_session_has_what_both_its_policies_allow() {
    use Decision::{Allowed as A, ExplicitlyDenied as E, ImplicitlyDenied as I};
    let table = [
        (A, A, A),
        (A, I, I),
        (I, A, I),
        (I, I, I),
        (A, E, E),
        (E, A, E),
        (E, I, E),
        (I, E, E),
    ];
    for (one, other, expected) in table {
        assert_eq!(one.and(other), expected, "{one:?} and {other:?}");
    }
}

#[test]
fn before_its_current_version_the_language_has_no_variables() {
    let statement = r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::data/${aws:username}/*"}"#;
    for version in ["", r#""Version": "2008-10-17","#] {
        let one: Policy = format!(r#"{{{version} "Statement": {statement}}}"#)
            .parse()
            .unwrap();
        assert_eq!(
            decided(std::slice::from_ref(&one), "s3:GetObject", OBJECT),
            Decision::ImplicitlyDenied
        );
        let literal = "arn:aws:s3:::data/${aws:username}/a";
        assert_eq!(decided(&[one], "s3:GetObject", literal), Decision::Allowed);
    }
}

#[test]
fn a_trust_policy_speaks_of_some_and_not_of_others() {
    let alice = [Holder::Aws(ALICE.to_owned())];
    let account = [Holder::Aws("123456789012".to_owned())];
    let service = [Holder::Service("sagemaker.amazonaws.com".to_owned())];
    let cases = [
        (r#""*""#, [true, true, true]),
        (r#"{"AWS": "*"}"#, [true, true, true]),
        (
            r#"{"AWS": "arn:aws:iam::123456789012:user/alice"}"#,
            [true, false, false],
        ),
        (
            r#"{"AWS": ["arn:aws:iam::123456789012:user/bob"]}"#,
            [false, false, false],
        ),
        (
            r#"{"AWS": "arn:aws:iam::123456789012:root"}"#,
            [false, true, false],
        ),
        (r#"{"AWS": "123456789012"}"#, [false, true, false]),
        (
            r#"{"Service": "sagemaker.amazonaws.com"}"#,
            [false, false, true],
        ),
        (
            r#"{"Service": ["ec2.amazonaws.com"]}"#,
            [false, false, false],
        ),
        (
            r#"{"Federated": "cognito-identity.amazonaws.com"}"#,
            [false, false, false],
        ),
    ];
    for (principal, expected) in cases {
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow",
            "Principal": {principal}, "Action": "sts:AssumeRole"}}}}"#
        );
        let trust = [Policy::parse(&text, Kind::Trust).unwrap()];
        let allowed = [&alice[..], &account, &service].map(|holders| {
            let request = Request {
                action: "sts:AssumeRole",
                resource: "arn:aws:iam::123456789012:role/r",
                holders,
                context: &context(),
            };
            decide(&trust, &request).decision == Decision::Allowed
        });
        assert_eq!(allowed, expected, "{principal}");
    }
}
