//! What the two notations have in common and apart, and what is said of errors.

use proptest::prelude::*;

use super::{Literal, Value, parse};

/// The value without its places, as JSON.
fn plain(literal: &Literal) -> serde_json::Value {
    match &literal.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(value) => value.clone().into(),
        Value::List(elements) => elements.iter().map(plain).collect(),
        Value::Dictionary(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), plain(&entry.value)))
            .collect(),
    }
}

#[test]
fn both_notations_are_read() {
    for (text, json) in [
        ("{'data': [1,3,1024,1024]}", r#"{"data":[1,3,1024,1024]}"#),
        (r#"{"data": [1, 3, 224, 224]}"#, r#"{"data":[1,3,224,224]}"#),
        ("{'mattr': ['+neon',],}", r#"{"mattr":["+neon"]}"#),
        ("[(1, 3), (4,), (5), ()]", "[[1,3],[4],5,[]]"),
        (
            "[True, False, None, true, false, null]",
            "[true,false,null,true,false,null]",
        ),
        (
            "[1.5, -2, +3, 1e3, .5, 2., 0.007843137255]",
            "[1.5,-2,3,1000.0,0.5,2.0,0.007843137255]",
        ),
        (r#"'it\'s "so"'"#, r#""it's \"so\"""#),
        (
            r#"["\u00e9", "\ud83d\ude00", '\x41', '\U0001F600', "\n"]"#,
            r#"["é","😀","A","😀","\n"]"#,
        ),
        ("{u'data': u'x'}", r#"{"data":"x"}"#),
        ("\n { } \t", "{}"),
    ] {
        let expected: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(plain(&parse(text).unwrap()), expected, "{text}");
    }
}

#[test]
fn errors_say_what_and_where() {
    for (text, message) in [
        ("", "expected a value but found the end at line 1, column 1"),
        (
            "{'data': [1,3,224,224}",
            "expected ',' or the closing bracket but found '}' at line 1, column 22",
        ),
        (
            "{\n 'data': [1,\n  x]}",
            "'x' is not a value (strings need quotes) at line 3, column 3",
        ),
        (
            "{data: [1]}",
            "expected a key in quotes but found 'd' at line 1, column 2",
        ),
        (
            "{'a' [1]}",
            "expected ':' but found '[' at line 1, column 6",
        ),
        (
            "{'a': 1 'b': 2}",
            "expected ',' or '}' but found ''' at line 1, column 9",
        ),
        (
            "{'a': 1",
            "expected ',' or '}' but found the end at line 1, column 8",
        ),
        (
            "[1] 2",
            "expected the end but found '2' at line 1, column 5",
        ),
        ("['a", "the string has no closing ' at line 1, column 2"),
        (
            r"['\q']",
            r"'\q' is not an escape sequence at line 1, column 3",
        ),
        (
            r#"["\ud800"]"#,
            r"'\ud800' is not an escape sequence at line 1, column 3",
        ),
        (
            "{'a': 1, 'a': 2}",
            "the key 'a' is there twice at line 1, column 10",
        ),
        ("[1..10]", "'1..10' is not a number at line 1, column 2"),
        (
            "[99999999999999999999]",
            "the number 99999999999999999999 is too large at line 1, column 2",
        ),
        (
            "[1e999]",
            "the number 1e999 is too large at line 1, column 2",
        ),
        (
            "[1,,2]",
            "expected a value but found ',' at line 1, column 4",
        ),
        (
            "'a\nb'",
            "a string must not hold a line break or another control character at line 1, column 3",
        ),
        (
            "[NaN]",
            "'NaN' is not a value (strings need quotes) at line 1, column 2",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(
        parse(&deep).unwrap_err().to_string(),
        "values are nested more than 32 deep at line 1, column 34"
    );
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e9..1e9).prop_map(|value: f64| value.into()),
        ".*".prop_map(|text: String| text.into()),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(".*", inner, 0..6)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn all_json_is_read(value in json()) {
        let text = value.to_string();
        prop_assert_eq!(plain(&parse(&text).unwrap()), value);
    }

    #[test]
    fn nothing_panics(text in "[\\[\\](){}'\",:.eu0-9a-z\\\\+ \n-]{0,64}") {
        let _ = parse(&text);
    }
}
