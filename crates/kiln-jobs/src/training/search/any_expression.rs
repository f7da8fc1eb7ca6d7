//! Expressions for tests, about the properties that the records of tests have.

use proptest::prelude::*;
use serde_json::{Value, json};

fn filter() -> impl Strategy<Value = Value> {
    let asked = prop::sample::select(vec![
        ("TrainingJobName", "Equals", Some("job-4")),
        ("TrainingJobName", "Contains", Some("b-1")),
        ("TrainingJobStatus", "NotEquals", Some("Failed")),
        ("TrainingJobStatus", "In", Some("Failed,InProgress")),
        ("FailureReason", "Exists", None),
        ("FailureReason", "NotEquals", Some("x")),
        (
            "CreationTime",
            "GreaterThan",
            Some("2023-11-14T22:13:21.600"),
        ),
        ("EnableManagedSpotTraining", "Equals", Some("true")),
        ("ResourceConfig.InstanceCount", "LessThan", Some("3")),
        ("ResourceConfig", "Exists", None),
        ("VpcConfig", "NotExists", None),
        ("InputDataConfig", "Exists", None),
        ("InputDataConfig.DataSource", "NotExists", None),
        ("InputDataConfig.ChannelName", "Equals", Some("c1")),
        ("HyperParameters", "NotExists", None),
        ("HyperParameters.depth", "GreaterThan", Some("3")),
        ("Environment", "Exists", None),
        ("Metrics.loss", "LessThanOrEqualTo", Some("1.625")),
        ("Tags.team", "Equals", Some("blue")),
        ("Tags.team", "NotExists", None),
    ]);
    asked.prop_map(|(name, operator, value)| match value {
        Some(value) => json!({"Name": name, "Operator": operator, "Value": value}),
        None => json!({"Name": name, "Operator": operator}),
    })
}

/// Nested filters of lists, of what is within one, and of what has one within.
fn nested() -> impl Strategy<Value = Value> {
    const INPUT: &str = "InputDataConfig";
    const SOURCE: &str = "InputDataConfig.DataSource";
    const CATS: &str = "s3://b/cats";
    const CHANNEL: &str = "InputDataConfig.ChannelName";
    const URI: &str = "InputDataConfig.DataSource.S3DataSource.S3Uri";
    const RULES: &str = "DebugRuleConfigurations";
    const RULE_K: &str = "DebugRuleConfigurations.RuleParameters.k";
    const RULE_TYPE: &str = "DebugRuleConfigurations.InstanceType";
    const GROUP_COUNT: &str = "ResourceConfig.InstanceGroups.InstanceCount";
    const GROUP_TYPE: &str = "ResourceConfig.InstanceGroups.InstanceType";
    let filter = |name: &str, operator: &str, value: &str| match value {
        "" => json!({"Name": name, "Operator": operator}),
        _ => json!({"Name": name, "Operator": operator, "Value": value}),
    };
    let nested =
        |outer: &str, one, other| json!({"NestedPropertyName": outer, "Filters": [one, other]});
    let groups = |outer: &str| {
        let (count, kind) = (
            filter(GROUP_COUNT, "GreaterThan", "1"),
            filter(GROUP_TYPE, "Equals", "ml.b"),
        );
        nested(outer, count, kind)
    };
    prop::sample::select(vec![
        nested(
            INPUT,
            filter(CHANNEL, "Equals", "train"),
            filter(URI, "NotEquals", CATS),
        ),
        nested(
            INPUT,
            filter(CHANNEL, "Equals", "c1"),
            filter(URI, "NotExists", ""),
        ),
        nested(
            SOURCE,
            filter(URI, "Exists", ""),
            filter(URI, "NotEquals", "s3://b/dogs"),
        ),
        groups("ResourceConfig.InstanceGroups"),
        groups("ResourceConfig"),
        nested(
            RULES,
            filter(RULE_K, "Equals", "2"),
            filter(RULE_TYPE, "NotExists", ""),
        ),
    ])
}

/// Any expression about such properties.
pub fn expression() -> impl Strategy<Value = Value> {
    let operator = || prop::sample::select(vec!["And", "Or"]);
    let filters = || prop::collection::vec(filter(), 1..4);
    let inner = (filters(), operator())
        .prop_map(|(filters, operator)| json!({"Filters": filters, "Operator": operator}));
    let parts = (
        filters(),
        prop::collection::vec(nested(), 0..2),
        prop::collection::vec(inner, 0..2),
        operator(),
    );
    parts.prop_map(|(filters, nested, inner, operator)| {
        let mut expression = json!({"Filters": filters, "Operator": operator});
        if !nested.is_empty() {
            expression["NestedFilters"] = nested.into();
        }
        if !inner.is_empty() {
            expression["SubExpressions"] = inner.into();
        }
        expression
    })
}
