//! What version 2's library writes of the same values.

use super::*;
use crate::json;

const WRITTEN: &[(&str, &str)] = &[
    (
        "{\"b\": [1, \"x\"], \"a\": {\"d\": \"1\", \"c\": true}, \"e\": [], \"f\": {}, \"g\": null, \"h\": 1.5}",
        "a:\n  c: true\n  d: '1'\nb:\n- 1\n- x\ne: []\nf: {}\ng: null\nh: 1.5\n",
    ),
    (
        "[{\"z\": 1, \"a\": [[1, 2], []]}, \"x\"]",
        "- a:\n  - - 1\n    - 2\n  - []\n  z: 1\n- x\n",
    ),
    ("\"\"", "\"\"\n"),
    ("\"foo\"", "\"foo\"\n"),
    ("\"größe: \\u001b\"", "\"größe: \\u001b\"\n"),
    ("5", "5\n"),
    ("null", "null\n"),
    ("[]", "[]\n"),
    (
        "{\"2020-01-01\": null, \"yes\": null, \"null\": null, \"a: b\": null, \"tab\\t\": null, \" a\": null, \"1e3\": null, \"-\": null, \"s3/Uri:x\": null}",
        "' a': null\n'-': null\n'1e3': null\n'2020-01-01': null\n'a: b': null\n'null': null\ns3/Uri:x: null\n\"tab\\t\": null\nyes: null\n",
    ),
    (
        "[\"2020-01-01\", \"2020-01-01T00:00:00Z\", \"2020-01-01T00:00:00.5+01:00\", \"2020-1-1\", \"12:30:45\", \"yes\", \"No\", \"y\", \"on\", \"null\", \"Null\", \"~\", \"true\", \"TRUE\", \"tRUE\", \"1\", \"+1\", \"017\", \"0o17\", \"0x1f\", \"1_000\", \"1.5\", \"1.\", \"1e3\", \"1e+3\", \".5\", \".inf\", \".nan\", \"=\", \"<<\", \"1.2.3\", \"ml.m5.large\"]",
        "- '2020-01-01'\n- '2020-01-01T00:00:00Z'\n- '2020-01-01T00:00:00.5+01:00'\n- 2020-1-1\n- 12:30:45\n- yes\n- No\n- y\n- on\n- 'null'\n- 'Null'\n- '~'\n- 'true'\n- 'TRUE'\n- tRUE\n- '1'\n- '+1'\n- '017'\n- '0o17'\n- '0x1f'\n- '1_000'\n- '1.5'\n- '1.'\n- '1e3'\n- '1e+3'\n- '.5'\n- '.inf'\n- '.nan'\n- '='\n- '<<'\n- 1.2.3\n- ml.m5.large\n",
    ),
    (
        "[\"\", \"a:\", \"a: b\", \"a:b\", \":\", \":a\", \"- x\", \"-\", \"-x\", \"?\", \"?x\", \"# x\", \"x #y\", \"x#y\", \"a,b\", \"[a]\", \"{a\", \"*x\", \"@x\", \"%x\", \"!x\", \"&x\", \"|\", \">\", \"`x\", \"'x'\", \"\\\"q\\\"\", \"it's\", \"---\", \"--- a\", \"...\", \"s3://b/k\", \" lead\", \"trail \", \"a\\\\b\"]",
        "- ''\n- 'a:'\n- 'a: b'\n- a:b\n- ':'\n- :a\n- '- x'\n- '-'\n- -x\n- '?'\n- ?x\n- '# x'\n- 'x #y'\n- x#y\n- a,b\n- '[a]'\n- '{a'\n- '*x'\n- '@x'\n- '%x'\n- '!x'\n- '&x'\n- '|'\n- '>'\n- '`x'\n- '''x'''\n- '\"q\"'\n- it's\n- '---'\n- '--- a'\n- '...'\n- s3://b/k\n- ' lead'\n- 'trail '\n- a\\b\n",
    ),
    (
        "[\"x\\ny\\n\", \"a\\n\\nb\", \"\\na\", \"a \\nb\", \"a\\n b\", \"tab\\there\", \"größe 😀\", \"\\u001b[0m\\u0000\u{7f}\", \"a\u{2028}b\", \"\u{feff}\", \"\u{a0}\"]",
        "- 'x\n\n  y\n\n  '\n- 'a\n\n\n  b'\n- '\n\n  a'\n- \"a \\nb\"\n- \"a\\n b\"\n- \"tab\\there\"\n- \"größe \\U0001F600\"\n- \"\\e[0m\\0\\x7F\"\n- 'a\u{2028}  b'\n- \"\\uFEFF\"\n- \u{a0}\n",
    ),
    (
        "{\"long\": \"the quick brown fox jumps over the lazy dog and then it goes on and on and on until the end of it all\", \"quoted\": \"it's: the quick brown fox jumps over the lazy dog and then it goes on and on and on until the end of it all\", \"double\": \"\\u001b the quick brown fox jumps over the lazy dog and then it goes on and on and on until the end of it all  the quick brown fox jumps over the lazy dog and then it goes on and on and on until the end of it all\", \"lines\": \"one\\ntwo the quick brown fox jumps over the lazy dog and then it goes on and on and on until the end of it all\\n\\nthree\", \"word\": \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\", \"words\": \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk x  y z\"}",
        "double: \"\\e the quick brown fox jumps over the lazy dog and then it goes on and on\n  and on until the end of it all  the quick brown fox jumps over the lazy dog and\n  then it goes on and on and on until the end of it all\"\nlines: 'one\n\n  two the quick brown fox jumps over the lazy dog and then it goes on and on and on\n  until the end of it all\n\n\n  three'\nlong: the quick brown fox jumps over the lazy dog and then it goes on and on and on\n  until the end of it all\nquoted: 'it''s: the quick brown fox jumps over the lazy dog and then it goes on and\n  on and on until the end of it all'\nword: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\nwords: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\n  x  y z\n",
    ),
    (
        "[[\"the quick brown fox jumps over the lazy dog and then it goes on and on and on until the end of it all\"], {\"deep\": {\"deeper\": [\"the quick brown fox jumps over the lazy dog and then it goes on and on and on until the end of it all\", \"'the quick brown fox jumps over the lazy dog and then it goes on and on and on until the end of it all'\"]}}]",
        "- - the quick brown fox jumps over the lazy dog and then it goes on and on and on\n    until the end of it all\n- deep:\n    deeper:\n    - the quick brown fox jumps over the lazy dog and then it goes on and on and on\n      until the end of it all\n    - '''the quick brown fox jumps over the lazy dog and then it goes on and on and\n      on until the end of it all'''\n",
    ),
];

#[test]
fn values_are_written_as_version_two_does() {
    for (text, expected) in WRITTEN {
        let written = write(&json::parse(text).unwrap());
        assert_eq!(written, *expected);
    }
}

proptest::proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(
        text in "[a-c0-9 \n\r\t:#'\"\\\\é😀\u{2028}\u{7f},~=.+-]{0,200}",
        indent in 0usize..3,
    ) {
        let mut value = Value::List(vec![Value::Text(text.clone())]);
        for _ in 0..indent {
            value = Value::Map(crate::value::Members(vec![(text.clone(), value)]));
        }
        proptest::prop_assert_eq!(parse(&write(&value)), Ok(value));
    }
}
