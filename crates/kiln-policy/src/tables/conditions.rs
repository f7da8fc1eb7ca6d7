//! Which conditions a request meets.

use super::*;

#[test]
fn conditions_hold_or_not() {
    let cases = [
        (r#""StringEquals": {"aws:username": "alice"}"#, true),
        (r#""StringEquals": {"AWS:USERNAME": "alice"}"#, true),
        (r#""StringEquals": {"aws:username": "Alice"}"#, false),
        (r#""StringEquals": {"aws:username": "al*"}"#, false),
        (
            r#""StringEquals": {"aws:username": ["bob", "alice"]}"#,
            true,
        ),
        (r#""StringEquals": {"none:such": "alice"}"#, false),
        (r#""StringEquals": {"odd:star": "${*}"}"#, true),
        (r#""StringEqualsIfExists": {"none:such": "alice"}"#, true),
        (r#""StringEqualsIfExists": {"aws:username": "bob"}"#, false),
        (r#""StringNotEquals": {"aws:username": "bob"}"#, true),
        (
            r#""StringNotEquals": {"aws:username": ["bob", "alice"]}"#,
            false,
        ),
        (r#""StringNotEquals": {"none:such": "bob"}"#, true),
        (
            r#""StringEqualsIgnoreCase": {"aws:username": "ALICE"}"#,
            true,
        ),
        (
            r#""StringNotEqualsIgnoreCase": {"aws:username": "ALICE"}"#,
            false,
        ),
        (r#""StringLike": {"aws:username": "al*"}"#, true),
        (r#""StringLike": {"aws:username": "al?"}"#, false),
        (
            r#""StringLike": {"aws:PrincipalArn": "*:user/${aws:username}"}"#,
            true,
        ),
        (r#""StringNotLike": {"aws:username": "al*"}"#, false),
        (r#""StringNotLike": {"aws:username": "b*"}"#, true),
        (r#""StringEquals": {"aws:RequestTag/team": "vision"}"#, true),
        (
            r#""StringEquals": {"aws:RequestTag/team": "speech"}"#,
            false,
        ),
        (
            r#""NumericEquals": {"sagemaker:MaxRuntimeInSeconds": 3600}"#,
            true,
        ),
        (
            r#""NumericEquals": {"sagemaker:MaxRuntimeInSeconds": "3600.0"}"#,
            true,
        ),
        (
            r#""NumericNotEquals": {"sagemaker:MaxRuntimeInSeconds": "3600"}"#,
            false,
        ),
        (
            r#""NumericLessThan": {"sagemaker:MaxRuntimeInSeconds": "3600"}"#,
            false,
        ),
        (
            r#""NumericLessThanEquals": {"sagemaker:MaxRuntimeInSeconds": "3600"}"#,
            true,
        ),
        (
            r#""NumericGreaterThan": {"sagemaker:MaxRuntimeInSeconds": "86.4e3"}"#,
            false,
        ),
        (
            r#""NumericGreaterThanEquals": {"sagemaker:MaxRuntimeInSeconds": "3600"}"#,
            true,
        ),
        (r#""NumericLessThan": {"aws:username": "5"}"#, false),
        (
            r#""NumericLessThanEqualsIfExists": {"none:such": "5"}"#,
            true,
        ),
        (
            r#""DateEquals": {"aws:CurrentTime": "2026-06-01T12:00:00Z"}"#,
            true,
        ),
        (
            r#""DateNotEquals": {"aws:CurrentTime": "2026-06-01"}"#,
            true,
        ),
        (r#""DateLessThan": {"aws:CurrentTime": "2026-06-02"}"#, true),
        (
            r#""DateLessThan": {"aws:CurrentTime": "2026-06-01T14:00:00+03:00"}"#,
            false,
        ),
        (
            r#""DateLessThanEquals": {"aws:CurrentTime": "2026-06-01T12:00Z"}"#,
            true,
        ),
        (
            r#""DateGreaterThan": {"aws:CurrentTime": "1577836800"}"#,
            true,
        ),
        (
            r#""DateGreaterThanEquals": {"aws:CurrentTime": "2026-06-01T12:00:01Z"}"#,
            false,
        ),
        (r#""Bool": {"aws:SecureTransport": "false"}"#, true),
        (r#""Bool": {"aws:SecureTransport": true}"#, false),
        (r#""Bool": {"none:such": "false"}"#, false),
        (r#""BoolIfExists": {"none:such": "true"}"#, true),
        (r#""IpAddress": {"aws:SourceIp": "10.0.0.0/8"}"#, true),
        (r#""IpAddress": {"aws:SourceIp": "10.1.2.3"}"#, true),
        (
            r#""IpAddress": {"aws:SourceIp": ["192.168.0.0/16", "10.1.2.2/31"]}"#,
            true,
        ),
        (r#""IpAddress": {"aws:SourceIp": "10.1.2.4/30"}"#, false),
        (r#""IpAddress": {"aws:SourceIp": "::/0"}"#, false),
        (r#""IpAddress": {"aws:SourceIp": "0.0.0.0/0"}"#, true),
        (r#""NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}"#, false),
        (
            r#""NotIpAddress": {"aws:SourceIp": "192.168.0.0/16"}"#,
            true,
        ),
        (
            r#""ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/alice"}"#,
            true,
        ),
        (
            r#""ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}"#,
            true,
        ),
        (
            r#""ArnLike": {"aws:PrincipalArn": "arn:*:iam::123456789012:user/al?ce"}"#,
            true,
        ),
        (
            r#""ArnLike": {"aws:PrincipalArn": "arn:aws:*:user/alice"}"#,
            false,
        ),
        (
            r#""ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/${aws:username}"}"#,
            true,
        ),
        (
            r#""ArnLike": {"aws:PrincipalArn": "arn:aws:iam::999999999999:*"}"#,
            false,
        ),
        (
            r#""ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}"#,
            true,
        ),
        (
            r#""ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}"#,
            false,
        ),
        (r#""Null": {"none:such": "true"}"#, true),
        (r#""Null": {"none:such": false}"#, false),
        (r#""Null": {"aws:username": "false"}"#, true),
        (r#""Null": {"aws:username": "true"}"#, false),
        (
            r#""ForAnyValue:StringEquals": {"aws:TagKeys": ["team", "x"]}"#,
            true,
        ),
        (r#""ForAnyValue:StringEquals": {"aws:TagKeys": "x"}"#, false),
        (r#""ForAnyValue:StringEquals": {"none:such": "x"}"#, false),
        (
            r#""ForAnyValue:StringEqualsIfExists": {"none:such": "x"}"#,
            true,
        ),
        (
            r#""ForAnyValue:StringNotEquals": {"aws:TagKeys": "team"}"#,
            true,
        ),
        (
            r#""ForAnyValue:StringNotEquals": {"aws:TagKeys": ["team", "Cost"]}"#,
            false,
        ),
        (
            r#""ForAllValues:StringEquals": {"aws:TagKeys": ["team", "Cost", "x"]}"#,
            true,
        ),
        (
            r#""ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}"#,
            false,
        ),
        (r#""ForAllValues:StringEquals": {"none:such": "x"}"#, true),
        (
            r#""ForAllValues:StringNotEquals": {"aws:TagKeys": "team"}"#,
            false,
        ),
        (
            r#""ForAllValues:StringLike": {"sagemaker:InstanceTypes": "ml.m5.*"}"#,
            true,
        ),
        (
            r#""ForAllValues:StringLike": {"sagemaker:InstanceTypes": "ml.m5.large"}"#,
            false,
        ),
        (
            r#""ForAllValues:StringNotLike": {"sagemaker:InstanceTypes": "ml.p?.*"}"#,
            true,
        ),
        (
            r#""ForAnyValue:StringLike": {"sagemaker:InstanceTypes": "*.xlarge"}"#,
            true,
        ),
        (
            r#""StringEquals": {"aws:username": "alice"}, "Bool": {"aws:SecureTransport": "false"}"#,
            true,
        ),
        (
            r#""StringEquals": {"aws:username": "alice"}, "Bool": {"aws:SecureTransport": "true"}"#,
            false,
        ),
        (
            r#""StringEquals": {"aws:username": "alice", "aws:RequestTag/team": "x"}"#,
            false,
        ),
    ];
    for (condition, holds) in cases {
        let one = policy(&format!(
            r#"{{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {{{condition}}}}}"#
        ));
        let expected = if holds {
            Decision::Allowed
        } else {
            Decision::ImplicitlyDenied
        };
        assert_eq!(decided(&[one], "a:b", "*"), expected, "{condition}");
    }
}

/// Who may do several things at once needs leave for each, and is denied all for one.
#[test]
fn several_values_are_no_way_around_a_condition_on_one() {
    // The request has the types ml.m5.large and ml.m5.xlarge.
    let cases = [
        (
            r#""StringEquals": {"sagemaker:InstanceTypes": "ml.m5.large"}"#,
            false,
            true,
        ),
        (
            r#""StringLike": {"sagemaker:InstanceTypes": "ml.m5.*"}"#,
            true,
            true,
        ),
        (
            r#""StringEquals": {"sagemaker:InstanceTypes": "ml.p4d.24xlarge"}"#,
            false,
            false,
        ),
        (
            r#""StringNotEquals": {"sagemaker:InstanceTypes": "ml.m5.large"}"#,
            false,
            true,
        ),
        (
            r#""StringNotLike": {"sagemaker:InstanceTypes": "ml.p4d.*"}"#,
            true,
            true,
        ),
        (
            r#""StringNotLike": {"sagemaker:InstanceTypes": "ml.m5.*"}"#,
            false,
            false,
        ),
    ];
    let open = policy(r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#);
    for (condition, allows, denies) in cases {
        let one = |effect: &str| {
            policy(&format!(
                r#"{{"Effect": "{effect}", "Action": "*", "Resource": "*",
                    "Condition": {{{condition}}}}}"#
            ))
        };
        let allowed = decided(&[one("Allow")], "a:b", "*") == Decision::Allowed;
        assert_eq!(allowed, allows, "{condition}");
        let denied = decided(&[open.clone(), one("Deny")], "a:b", "*");
        assert_eq!(denied == Decision::ExplicitlyDenied, denies, "{condition}");
    }
}

#[test]
fn a_variable_without_a_value_excepts_nothing_and_allows_nothing() {
    let cases = [
        r#""NotResource": "arn:aws:s3:::data/${none:such}/*""#,
        r#""Resource": "*",
            "Condition": {"StringNotEquals": {"aws:username": "${none:such}"}}"#,
        r#""Resource": "*",
            "Condition": {"ForAllValues:StringNotLike": {"aws:TagKeys": "${none:such}*"}}"#,
    ];
    let open = policy(r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#);
    for case in cases {
        let one = |effect: &str| {
            policy(&format!(
                r#"{{"Effect": "{effect}", "Action": "s3:*", {case}}}"#
            ))
        };
        let allowed = decided(&[one("Allow")], "s3:GetObject", OBJECT);
        assert_eq!(allowed, Decision::ImplicitlyDenied, "{case}");
        let denied = decided(&[open.clone(), one("Deny")], "s3:GetObject", OBJECT);
        assert_eq!(denied, Decision::ExplicitlyDenied, "{case}");
    }
}
