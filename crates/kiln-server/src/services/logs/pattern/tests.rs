//! Patterns and lines: which go together, and which patterns are refused.

use proptest::prelude::*;

use super::*;

fn check(cases: &[(&str, &str, bool)]) {
    for (pattern, line, expected) in cases {
        let parsed = Pattern::parse(pattern).unwrap();
        assert_eq!(parsed.matches(line), *expected, "{pattern} on {line}");
    }
}

#[test]
fn words_phrases_and_expressions_select_lines() {
    check(&[
        ("", "anything", true),
        ("ERROR", "an ERROR here", true),
        ("ERROR", "an error here", false),
        ("ERROR disk", "disk ERROR", true),
        ("ERROR disk", "ERROR", false),
        ("\"disk full\"", "the disk full", true),
        ("\"disk full\"", "full disk", false),
        (r#""a \"b\" \\ c""#, r#"a "b" \ c"#, true),
        ("?a ?b", "b", true),
        ("?a ?b", "c", false),
        // Beside other terms, marks of choice are not looked at.
        ("ERROR ?a", "ERROR b", true),
        ("ERROR -retry", "ERROR retry", false),
        ("-\"no such\" ERROR", "ERROR no such", false),
        ("-\"no such\" ERROR", "ERROR", true),
        ("%AUTHORIZED%", "401 UNAUTHORIZED", true),
        ("%^[0-9]{3} %", "401 UNAUTHORIZED", true),
        ("%^[0-9]{3}$%", "401 UNAUTHORIZED", false),
        (r"%\d+\.\d%", "loss 12.5", true),
        ("?%a+b% ?x", "aab", true),
        ("-%a+b%", "aab", false),
    ]);
}

#[test]
fn members_of_objects_select_lines() {
    let event = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111",
        "bandwidth": 75, "latency": 1.5e-3, "ok": true, "error": null, "a-b": "x y",
        "arrayKey": ["value", "another"], "user": {"id": 1, "email": "a@b.c"},
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}]}"#;
    let cases = [
        (r#"{ $.eventType = "UpdateTrail" }"#, true),
        ("{$.eventType=UpdateTrail}", true),
        (r#"{ $.eventType != "UpdateTrail" }"#, false),
        ("{ $.eventType = Update* }", true),
        ("{ $.eventType = *date*ail }", true),
        ("{ $.eventType = *date*ailer }", false),
        ("{ $.eventType = %Trail$% }", true),
        ("{ $.eventType != %Trail$% }", false),
        ("{ $.sourceIPAddress != 123.123.* }", true),
        ("{ $.bandwidth > 75 }", false),
        ("{ $.bandwidth >= 75 }", true),
        ("{ $.bandwidth = 7* }", true),
        ("{ $.bandwidth = 75.0 }", true),
        ("{ $.bandwidth != 75 }", false),
        ("{ $.latency < 1e-2 }", true),
        ("{ $.eventType > 1 }", false),
        ("{ $.ok IS TRUE }", true),
        ("{ $.ok is false }", false),
        ("{ $.error IS NULL }", true),
        ("{ $.ok IS NULL }", false),
        ("{ $.error NOT EXISTS }", false),
        ("{ $.nothing NOT EXISTS }", true),
        ("{ $.nothing = * }", false),
        ("{ $.nothing != 1 }", false),
        ("{ $.user = * }", true),
        ("{ $.user.id = 1 }", true),
        ("{ $.arrayKey[0] = value }", true),
        ("{ $.arrayKey[2] = value }", false),
        ("{ $.arrayKey[*] = another }", true),
        ("{ $.objectList[1].id = 2 }", true),
        ("{ $.objectList[*].name = b }", true),
        ("{ $.user.* = 1 }", true),
        ("{ $.['a-b'] = \"x y\" }", true),
        ("{ $.a-b = \"x y\" }", true),
        (
            "{ ($.user.id = 1) && ($.objectList[0].name = \"a\") }",
            true,
        ),
        (
            "{ $.user.id = 2 && $.bandwidth = 75 || $.ok IS TRUE }",
            true,
        ),
        (
            "{ $.user.id = 2 && ($.bandwidth = 75 || $.ok IS TRUE) }",
            false,
        ),
    ];
    for (pattern, expected) in cases {
        check(&[(pattern, event, expected)]);
    }
    check(&[
        ("{ $.a = 1 }", "a=1", false),
        ("{ $.a = 1 }", "[1]", false),
        ("{ $.a = 1 }", r#"{"a": 1"#, false),
    ]);
}

#[test]
fn columns_of_rows_select_lines() {
    let line =
        "127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534";
    let cases = [
        (
            "[ip, user, username, timestamp, request, status, bytes]",
            true,
        ),
        ("[ip, user, username, timestamp, request, status]", false),
        ("[ip, ..., bytes]", true),
        ("[...]", true),
        ("[..., status = 404, bytes]", true),
        ("[..., status_code=4*, bytes > 1000]", true),
        ("[..., status_code=4*, bytes > 2000]", false),
        (
            "[ip, user, username, timestamp, request = *html*, ...]",
            true,
        ),
        ("[ip, user, username, timestamp = *2000*, ...]", true),
        ("[ip = %127\\.0\\.0\\.[1-9]%, ...]", true),
        ("[ip != 127.*, ...]", false),
        ("[..., s = 404 || s = 410, b]", true),
        ("[..., s = 4* && s != 404, b]", false),
        ("[..., (s = 404 || s = 410) && s != 410, b]", true),
        ("[ip, user = \"Prod\", ...]", true),
    ];
    for (pattern, expected) in cases {
        check(&[(pattern, line, expected)]);
    }
    check(&[
        ("[a, b]", "one two", true),
        ("[a = \"\", ...]", "\"\" x", true),
    ]);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let cases = [
        ("\"open", "a phrase is not closed"),
        ("{ $.a = \"open }", "a phrase is not closed"),
        ("%open", "is not closed by a percent sign"),
        ("%(a)%", "the regular expression %(a)% is not"),
        ("%[%", "the regular expression %[% is not"),
        ("%a% %b% %c%", "more than two regular expressions"),
        ("{ $.a }", "a comparison is expected at '}'"),
        ("{ $.a = }", "a value is expected at '}'"),
        ("{ $.a > x }", "a number is expected"),
        ("{ a = 1 }", "a selector that begins with $ is expected"),
        ("{ $ = 1 }", "the name of a member is expected"),
        ("{ $.a[x] = 1 }", "an index is expected"),
        ("{ ($.a = 1 }", "a closing parenthesis is expected"),
        ("{ $.a = 1", "a closing brace is expected"),
        ("{ $.a = 1 } x", "the end is expected at 'x'"),
        ("[a, b", "a comma or a closing bracket is expected"),
        ("[..., a, ...]", "only one ellipsis is expected"),
        ("[a = ]", "a value is expected"),
    ];
    for (pattern, reason) in cases {
        let refused = Pattern::parse(pattern).unwrap_err().to_string();
        assert!(refused.contains(reason), "{pattern}: {refused}");
    }
    let long = "x".repeat(LONGEST + 1);
    assert_eq!(Pattern::parse(&long).unwrap_err(), PatternError::TooLong);
}

proptest! {
    #[test]
    fn any_text_is_matched_by_its_own_phrase(text in ".{1,40}", around in ".{0,10}") {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let pattern = Pattern::parse(&format!("\"{quoted}\"")).unwrap();
        let line = format!("{around}{text}{around}");
        prop_assert!(pattern.matches(&line));
    }

    #[test]
    fn a_member_is_matched_by_its_own_value(
        name in "[a-zA-Z_][a-zA-Z0-9_-]{0,10}", value in "[^*]{0,20}", number: i32,
    ) {
        let event = serde_json::json!({name.clone(): value, "n": number}).to_string();
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        prop_assume!(name != "n");
        for (pattern, expected) in [
            (format!("{{ $.{name} = \"{quoted}\" }}"), true),
            (format!("{{ $.{name} != \"{quoted}\" }}"), false),
            (format!("{{ $.n = {number} && $.n >= {number} }}"), true),
            (format!("{{ $.n > {number} }}"), false),
            (format!("{{ $.{name} NOT EXISTS }}"), false),
        ] {
            prop_assert_eq!(Pattern::parse(&pattern).unwrap().matches(&event), expected, "{}", pattern);
        }
    }

    #[test]
    fn a_row_is_matched_by_its_own_columns(row in prop::collection::vec("[a-z0-9.:/]{1,8}", 1..6)) {
        let columns: Vec<String> = row.iter().map(|value| format!("c = \"{value}\"")).collect();
        let line = row.join(" ");
        let all = Pattern::parse(&format!("[{}]", columns.join(", "))).unwrap();
        prop_assert!(all.matches(&line));
        let last = format!("[..., {}]", columns[columns.len() - 1]);
        prop_assert!(Pattern::parse(&last).unwrap().matches(&line));
    }
}
