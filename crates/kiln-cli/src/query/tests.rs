//! Tables of expressions with their results and complaints.

use super::*;
use crate::json;

const JOBS: &str = r#"{"Jobs": [
    {"Name": "b", "Size": 2, "Tags": ["x", "y"], "Done": true},
    {"Name": "a", "Size": 1.5, "Tags": [], "Done": false},
    {"Name": "c", "Size": 3, "Done": true}],
    "Map": {"z": 1, "a": 2}, "Text": "it's", "Zero": 0}"#;

#[test]
fn expressions_say_what_they_say_in_python() {
    let jobs = json::parse(JOBS).unwrap();
    for (expression, expected) in [
        ("Jobs[].Name", r#"["b","a","c"]"#),
        ("Jobs[*].{n: Name, s: Size}[0]", r#"{"n":"b","s":2}"#),
        ("Jobs[0].{s: Size, n: Name}", r#"{"s":2,"n":"b"}"#),
        ("Jobs[?Done].Name | [0]", r#""b""#),
        ("Jobs[?Size > `1.5`].Name", r#"["b","c"]"#),
        ("Jobs[?Name == 'a' || Size >= `3`].Name", r#"["a","c"]"#),
        ("Jobs[-1].Name", r#""c""#),
        ("Jobs[::-1].Name", r#"["c","a","b"]"#),
        ("Jobs[1:].Size", "[1.5,3]"),
        ("Jobs[].Tags[]", r#"["x","y"]"#),
        ("Map.*", "[1,2]"),
        ("keys(Map)", r#"["z","a"]"#),
        ("sort_by(Jobs, &Name)[].Name", r#"["a","b","c"]"#),
        ("max_by(Jobs, &Size).Name", r#""c""#),
        ("sum(Jobs[].Size)", "6.5"),
        ("length(Jobs)", "3"),
        ("join(', ', Jobs[].Name)", r#""b, a, c""#),
        ("to_string(Map)", r#""{\"z\":1,\"a\":2}""#),
        ("Missing.Deep[0].Other", "null"),
        ("[Text, Zero]", r#"["it's",0]"#),
        ("!Zero", "false"),
        ("not_null(Missing, Text)", r#""it's""#),
        ("map(&Size, Jobs)", "[2,1.5,3]"),
        ("contains(Jobs[0].Tags, 'x') && type(Map)", r#""object""#),
        ("\"Text\"", r#""it's""#),
        ("merge(Map, {a: `5`})", r#"{"z":1,"a":5}"#),
    ] {
        let result = Query::parse(expression).unwrap().search(&jobs).unwrap();
        assert_eq!(json::compact(&result), expected, "{expression}");
    }
}

#[test]
fn complaints_are_pythons() {
    let jobs = json::parse(JOBS).unwrap();
    for (expression, expected) in [
        (
            "a[",
            "Invalid jmespath expression: Incomplete expression:\n\"a[\"\n   ^",
        ),
        (
            "a=b",
            "Bad jmespath expression: Unknown token '=':\na=b\n ^",
        ),
        (
            "a b",
            "Unexpected token: b: Parse error at column 2, token \"b\" (UNQUOTED_IDENTIFIER), for expression:\n\"a b\"\n   ^",
        ),
        ("", "Invalid JMESPath expression: cannot be empty."),
        ("foo(@)", "Unknown function: foo()"),
        (
            "Zero < Text",
            "'<' not supported between instances of 'int' and 'str'",
        ),
        (
            "length(@, @)",
            "Expected 1 argument for function length(), received 2",
        ),
        (
            "length(Nope)",
            "In function length(), invalid type for value: None, expected one of: ['string', 'array', 'object'], received: \"null\"",
        ),
    ] {
        let query = Query::parse(expression);
        let error = query.and_then(|query| query.search(&jobs)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

/// In a thread with the stack that a program's first one has.
#[test]
fn expressions_are_nested_so_deep_and_no_deeper() {
    let nested = |number: usize| {
        [
            format!("{}a{}", "(".repeat(number), ")".repeat(number)),
            format!("{}a{}", "[".repeat(number), "]".repeat(number)),
            format!("a{}", ".a".repeat(number)),
            format!("a{}", " || a".repeat(number)),
            format!("a{}", "[]".repeat(number)),
            "!".repeat(number) + "a",
            format!("{}a{}", "not_null(".repeat(number), ")".repeat(number)),
            // Each level is as high as all that it is within.
            format!("{}a{}", "(".repeat(number), ".a)".repeat(number)),
        ]
    };
    let body = move || {
        let jobs = json::parse(JOBS).unwrap();
        for expression in nested(150) {
            Query::parse(&expression).unwrap().search(&jobs).unwrap();
        }
        for expression in nested(30_000) {
            assert_eq!(
                Query::parse(&expression).unwrap_err().to_string(),
                "maximum recursion depth exceeded"
            );
        }
    };
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(body);
    thread.unwrap().join().unwrap();
}

proptest::proptest! {
    #[test]
    fn no_expression_breaks_the_parser(expression in "[a-c0-2\\[\\]{}().,:*?&|!=<>@`'\" -]{0,24}") {
        if let Ok(query) = Query::parse(&expression) {
            let _ = query.search(&json::parse(JOBS).unwrap());
        }
    }
}
