//! Tables of what operators say of values, and of what they refuse.

use kiln_model::api::Operator::{self, *};
use serde_json::{Value, json};

use super::comparison::Test;
use super::property::Property;
use super::scalar::Scalar;

/// Whether values meet a test.
fn met(test: &Test, values: &[&Value]) -> bool {
    test.holds(Scalar::all(values))
}

fn test(name: &str, operator: Option<Operator>, value: Option<&str>) -> Result<Test, String> {
    let property = Property::named(name).unwrap();
    Test::of(&property, operator, value).map_err(|error| error.to_string())
}

#[test]
fn values_are_compared_as_their_kind_has_it() {
    let noon = json!(1_769_860_800.25);
    let cases: &[(&str, Operator, &str, Value, bool)] = &[
        ("TrainingJobName", Equals, "a", json!("a"), true),
        ("TrainingJobName", Equals, "a", json!("A"), false),
        ("TrainingJobName", NotEquals, "a", json!("b"), true),
        ("TrainingJobName", NotEquals, "a", json!("a"), false),
        ("TrainingJobName", Contains, "b", json!("abc"), true),
        ("TrainingJobName", Contains, "d", json!("abc"), false),
        ("TrainingJobName", In, "a,b", json!("b"), true),
        ("TrainingJobName", In, "a,b", json!("a,b"), false),
        ("ResourceConfig.InstanceCount", Equals, "2", json!(2), true),
        (
            "ResourceConfig.InstanceCount",
            Equals,
            "2.0",
            json!(2),
            true,
        ),
        (
            "ResourceConfig.InstanceCount",
            GreaterThan,
            "2",
            json!(10),
            true,
        ),
        (
            "ResourceConfig.InstanceCount",
            GreaterThan,
            "2",
            json!(2),
            false,
        ),
        (
            "ResourceConfig.InstanceCount",
            GreaterThanOrEqualTo,
            "2",
            json!(2),
            true,
        ),
        (
            "ResourceConfig.InstanceCount",
            LessThan,
            "2",
            json!(1),
            true,
        ),
        (
            "ResourceConfig.InstanceCount",
            LessThanOrEqualTo,
            "2",
            json!(3),
            false,
        ),
        // The number nearest to 0.9 is another in single precision.
        (
            "Metrics.accuracy",
            Equals,
            "0.9",
            json!(f64::from(0.9_f32)),
            true,
        ),
        (
            "Metrics.accuracy",
            GreaterThan,
            "0.9",
            json!(f64::from(0.9_f32)),
            false,
        ),
        ("Metrics.accuracy", LessThan, "1e-3", json!(0.0005), true),
        (
            "EnableManagedSpotTraining",
            Equals,
            "true",
            json!(true),
            true,
        ),
        (
            "EnableManagedSpotTraining",
            Equals,
            "True",
            json!(false),
            false,
        ),
        (
            "EnableManagedSpotTraining",
            NotEquals,
            "true",
            json!(false),
            true,
        ),
        (
            "CreationTime",
            Equals,
            "2026-01-31T12:00:00",
            noon.clone(),
            true,
        ),
        (
            "CreationTime",
            Equals,
            "2026-01-31T12:00:00Z",
            noon.clone(),
            true,
        ),
        (
            "CreationTime",
            Equals,
            "2026-01-31T13:00:00+01:00",
            noon.clone(),
            true,
        ),
        (
            "CreationTime",
            Equals,
            "2026-01-31T12:00:00.25",
            noon.clone(),
            true,
        ),
        (
            "CreationTime",
            Equals,
            "2026-01-31T12:00:00.24",
            noon.clone(),
            false,
        ),
        (
            "CreationTime",
            GreaterThan,
            "2026-01-31T12:00:00",
            noon.clone(),
            false,
        ),
        (
            "CreationTime",
            GreaterThan,
            "2026-01-31T12:00:00.000",
            noon.clone(),
            true,
        ),
        (
            "CreationTime",
            LessThan,
            "2026-01-31T12:00:01",
            noon.clone(),
            true,
        ),
        (
            "CreationTime",
            LessThanOrEqualTo,
            "2026-01-31T12:00:00",
            noon,
            true,
        ),
        ("HyperParameters.x", Equals, "2", json!("2.0"), true),
        ("HyperParameters.x", Equals, "2.5", json!("2.50"), true),
        ("HyperParameters.x", Equals, "a", json!("a"), true),
        ("HyperParameters.x", Equals, "2", json!("two"), false),
        ("HyperParameters.x", LessThan, "0.5", json!("0.1"), true),
        ("HyperParameters.x", GreaterThan, "9", json!("10"), true),
        ("HyperParameters.x", GreaterThan, "9", json!("many"), false),
        // Compared with a whole number, decimals are whole numbers.
        ("HyperParameters.x", GreaterThan, "0", json!("0.5"), false),
        ("HyperParameters.x", GreaterThan, "0.0", json!("0.5"), true),
        ("HyperParameters.x", Contains, "ell", json!("hello"), true),
        ("HyperParameters.x", In, "1,3", json!("3"), true),
    ];
    for (name, operator, value, recorded, holds) in cases {
        let test = test(name, Some(*operator), Some(value)).unwrap();
        let case = format!("{recorded} {operator} {value} of {name}");
        assert_eq!(met(&test, &[recorded]), *holds, "{case}");
    }
}

#[test]
fn a_filter_without_an_operator_asks_for_equality_or_presence() {
    let (one, other) = (json!("a"), json!("b"));
    let equal = test("FailureReason", None, Some("a")).unwrap();
    assert!(met(&equal, &[&one]) && !met(&equal, &[&other]));
    let there = test("FailureReason", None, None).unwrap();
    assert!(met(&there, &[&one]) && !met(&there, &[]));
    let absent = test("FailureReason", Some(NotExists), None).unwrap();
    assert!(met(&absent, &[]) && !met(&absent, &[&one]));
}

#[test]
fn of_several_values_one_is_enough_and_of_none_nothing_is_said() {
    let (one, other) = (json!("a"), json!("b"));
    let name = "InputDataConfig.ChannelName";
    let is =
        |operator, values: &[&Value]| met(&test(name, Some(operator), Some("a")).unwrap(), values);
    assert!(is(Equals, &[&one, &other]) && !is(Equals, &[&other]) && !is(Equals, &[]));
    assert!(is(NotEquals, &[&other]) && is(NotEquals, &[]) && !is(NotEquals, &[&one, &other]));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let cases: &[(&str, Operator, Option<&str>)] = &[
        ("TrainingJobName", GreaterThan, Some("a")),
        ("Tags.team", LessThanOrEqualTo, Some("1")),
        ("Metrics.accuracy", Contains, Some("1")),
        ("Metrics.accuracy", In, Some("1,2")),
        ("Metrics.accuracy", Equals, Some("high")),
        ("Metrics.accuracy", Equals, Some("NaN")),
        ("Metrics.accuracy", LessThan, Some("inf")),
        ("CreationTime", GreaterThan, Some("today")),
        ("CreationTime", GreaterThan, Some("1700000000")),
        ("EnableManagedSpotTraining", Equals, Some("yes")),
        ("EnableManagedSpotTraining", LessThan, Some("true")),
        ("ResourceConfig", Equals, Some("x")),
        ("HyperParameters", Contains, Some("x")),
        ("HyperParameters.x", GreaterThan, Some("x")),
        ("TrainingJobName", Equals, None),
        ("TrainingJobName", In, None),
        ("TrainingJobName", Exists, Some("a")),
        ("TrainingJobName", NotExists, Some("a")),
    ];
    for (name, operator, value) in cases {
        let refused = test(name, Some(*operator), *value);
        assert!(refused.is_err(), "{name} {operator} {value:?}");
    }
}
