//! What is wrong with documents, what they speak of, and those of AWS's own.

use super::*;
use crate::managed;

#[test]
fn what_is_wrong_with_a_document_is_said_with_its_place() {
    let ok = r#""Effect": "Allow", "Action": "a:b", "Resource": "*""#;
    let within =
        |statement: &str| format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
    let condition = |condition: &str| within(&format!(r#"{{{ok}, "Condition": {condition}}}"#));
    let cases = [
        ("{".to_owned(), "line 1, column 1"),
        ("[]".to_owned(), "the document"),
        (
            condition(r#"{"StringLike": {"a:b": "c"}, "StringLike": {"a:c": "d"}}"#),
            "line 1, column 163",
        ),
        (r#"{"Version": "2012-10-17"}"#.to_owned(), "Statement"),
        (
            r#"{"Version": "2012-10-18", "Statement": []}"#.to_owned(),
            "Version",
        ),
        (r#"{"Statement": []}"#.to_owned(), "Statement"),
        (r#"{"Statements": []}"#.to_owned(), "Statements"),
        (within("5"), "Statement[0]"),
        (within(&format!("{{{ok}}}, {{}}")), "Statement[1].Effect"),
        (
            within(r#"{"Effect": "allow", "Action": "a:b", "Resource": "*"}"#),
            "Statement[0].Effect",
        ),
        (
            within(r#"{"Effect": "Allow", "Resource": "*"}"#),
            "Statement[0]",
        ),
        (
            within(r#"{"Effect": "Allow", "Action": [], "Resource": "*"}"#),
            "Statement[0].Action",
        ),
        (
            within(r#"{"Effect": "Allow", "Action": "Get", "Resource": "*"}"#),
            "Statement[0].Action",
        ),
        (
            within(r#"{"Effect": "Allow", "Action": "*:Get", "Resource": "*"}"#),
            "Statement[0].Action",
        ),
        (
            within(r#"{"Effect": "Allow", "Action": [{}], "Resource": "*"}"#),
            "Statement[0].Action[0]",
        ),
        (
            within(r#"{"Effect": "Allow", "Action": "a:b"}"#),
            "Statement[0]",
        ),
        (
            within(r#"{"Effect": "Allow", "Action": "a:b", "Resource": "bucket"}"#),
            "Statement[0].Resource",
        ),
        (
            within(r#"{"Effect": "Allow", "Action": "a:b", "Resource": ["*", "arn:aws:s3"]}"#),
            "Statement[0].Resource",
        ),
        (
            within(&format!(r#"{{{ok}, "NotAction": "c:d"}}"#)),
            "Statement[0]",
        ),
        (
            within(&format!(r#"{{{ok}, "Principal": "*"}}"#)),
            "Statement[0].Principal",
        ),
        (
            within(&format!(r#"{{{ok}, "Actions": "a:b"}}"#)),
            "Statement[0].Actions",
        ),
        (
            within(&format!(r#"{{{ok}, "Sid": "not so"}}"#)),
            "Statement[0].Sid",
        ),
        (
            within(&format!(r#"{{{ok}, "Sid": "a"}}, {{{ok}, "Sid": "a"}}"#)),
            "Statement[1].Sid",
        ),
        (
            condition(r#"{"StringIs": {"a:b": "c"}}"#),
            "Statement[0].Condition.StringIs",
        ),
        (
            condition(r#"{"ForEach:StringEquals": {"a:b": "c"}}"#),
            "Statement[0].Condition.ForEach:StringEquals",
        ),
        (
            condition(r#"{"NullIfExists": {"a:b": "c"}}"#),
            "Statement[0].Condition.NullIfExists",
        ),
        (
            condition(r#"{"StringEquals": {"ab": "c"}}"#),
            "Statement[0].Condition.StringEquals.ab",
        ),
        (
            condition(r#"{"StringEquals": "a:b"}"#),
            "Statement[0].Condition.StringEquals",
        ),
        (
            condition(r#"{"NumericEquals": {"a:b": "many"}}"#),
            "Statement[0].Condition.NumericEquals.a:b",
        ),
        (
            condition(r#"{"DateLessThan": {"a:b": "soon"}}"#),
            "Statement[0].Condition.DateLessThan.a:b",
        ),
        (
            condition(r#"{"IpAddress": {"a:b": "10.0.0.0/33"}}"#),
            "Statement[0].Condition.IpAddress.a:b",
        ),
        (
            condition(r#"{"Bool": {"a:b": "perhaps"}}"#),
            "Statement[0].Condition.Bool.a:b",
        ),
    ];
    for (text, place) in cases {
        let error = text.parse::<Policy>().unwrap_err();
        assert_eq!(error.place, place, "{text}: {error}");
    }
    let trust = within(&format!(r#"{{{ok}, "Principal": "*"}}"#));
    let error = Policy::parse(&trust, Kind::Trust).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Has prohibited field Resource. (at Statement[0].Resource)"
    );
    let excepted = within(
        r#"{"Effect": "Allow", "Action": "sts:AssumeRole",
            "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:user/alice"}}"#,
    );
    let error = Policy::parse(&excepted, Kind::Trust).unwrap_err();
    assert_eq!(error.place, "Statement[0].NotPrincipal");
    assert!(Policy::parse(&excepted.replace("Allow", "Deny"), Kind::Trust).is_ok());
    for principal in [
        r#""me""#,
        r#"{"AWS": "arn:aws:iam::123456789012:user/*"}"#,
        r#"{"Aws": "*"}"#,
    ] {
        let text = within(&format!(
            r#"{{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {principal}}}"#
        ));
        assert!(Policy::parse(&text, Kind::Trust).is_err(), "{principal}");
    }
}

#[test]
fn the_keys_that_a_policy_speaks_of_are_known() {
    let one = policy(
        r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::data/${aws:username}",
            "Condition": {"StringLike": {"s3:prefix": "${aws:userid}/*"}}}"#,
    );
    let keys: Vec<String> = one.context_keys().into_iter().collect();
    assert_eq!(keys, ["aws:userid", "aws:username", "s3:prefix"]);
}

#[test]
fn the_policies_of_awss_own_are_sound() {
    let read = |name: &str| -> Policy {
        let arn = format!("arn:aws:iam::aws:policy/{name}");
        managed::document(&arn).unwrap().parse().unwrap()
    };
    let all = read("AdministratorAccess");
    assert_eq!(decided(&[all], "iam:CreateUser", "*"), Decision::Allowed);
    let sagemaker = [read("AmazonSageMakerFullAccess")];
    let bucket = "arn:aws:s3:::sagemaker-us-east-1-1/x";
    assert_eq!(
        decided(&sagemaker, "sagemaker:CreateTrainingJob", "*"),
        Decision::Allowed
    );
    assert_eq!(
        decided(&sagemaker, "s3:PutObject", bucket),
        Decision::Allowed
    );
    assert_eq!(
        decided(&sagemaker, "s3:PutObject", OBJECT),
        Decision::ImplicitlyDenied
    );
    assert_eq!(
        managed::document("arn:aws:iam::aws:policy/PowerUserAccess"),
        None
    );
    assert_eq!(
        managed::document("arn:aws:iam::123456789012:policy/AdministratorAccess"),
        None
    );
    for spelling in ["arn:aws:x", "arn:aws-", "arn:awsx", "arn:aws:iam::x"] {
        let arn = format!("{spelling}:iam::aws:policy/AdministratorAccess");
        assert_eq!(managed::document(&arn), None, "{arn}");
    }
}
