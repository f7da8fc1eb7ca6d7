//! The protocols against each other: they must say the same.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A request in all three protocols.
fn in_all_forms() -> [Value; 3] {
    let json = br#"{"Namespace":"n","Period":60,"StartTime":5,"Unit":null,
        "Dimensions":[{"Name":"a","Value":"1"},{"Name":"b","Value":"2"}]}"#;
    let form = b"Action=X&Version=2010-08-01&Namespace=n&Period=60&StartTime=5&Unit=\
        &Dimensions.member.2.Name=b&Dimensions.member.2.Value=2\
        &Dimensions.member.1.Value=1&Dimensions.member.1.Name=a";
    let (operation, form) = form::read(b"", form);
    assert_eq!(operation.as_deref(), Some("X"));
    let mut cbor = vec![0xbf]; // A map without a length.
    cbor.extend(b"\x69Namespace\x61n\x66Period\x18\x3c\x69StartTime\xc1\x05\x64Unit\xf6");
    cbor.extend(b"\x6aDimensions\x82");
    cbor.extend(b"\xa2\x64Name\x61a\x65Value\x611");
    cbor.extend(b"\xa2\x64Name\x61b\x65Value\x612");
    cbor.push(0xff);
    [json::read(json).unwrap(), form, cbor::read(&cbor).unwrap()]
}

#[test]
fn a_request_is_the_same_in_every_protocol() {
    let [json, form, cbor] = in_all_forms();
    let expected = json!({"Namespace": "n", "Period": 60, "StartTime": 5,
        "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]});
    assert_eq!(json, expected);
    assert_eq!(cbor, expected);
    let mut texts = expected;
    texts["Period"] = json!("60");
    texts["StartTime"] = json!("5");
    assert_eq!(form, texts);
}

#[test]
fn forms_are_read_however_odd() {
    let tree = |text: &str| form::read(b"", text.as_bytes()).1;
    assert_eq!(tree("a.b=1&a=2"), json!({"a": "2"}));
    assert_eq!(tree("a=2&a.b=1"), json!({"a": "2"}));
    assert_eq!(
        tree("l.member.10=c&l.member.9=b&l.member.x=d"),
        json!({"l": ["b", "c"]})
    );
    assert_eq!(tree(&format!("{}=1", "a.".repeat(DEEP))), json!({}));
    assert_eq!(form::read(b"Action=Q&a=1", b"b=2").0.as_deref(), Some("Q"));
}

const DEEP: usize = 100;

#[test]
fn an_answer_is_the_same_in_every_protocol() {
    let answer = Answer::Structure(vec![
        ("Label", Answer::text("a<b")),
        ("Timestamps", Answer::list([Answer::Time(1_795_003_200)])),
        (
            "Values",
            Answer::list([Answer::Number(2.0), Answer::Number(0.5)]),
        ),
        ("Empty", Answer::list([])),
        (
            "Map",
            Answer::Map(vec![("p9".to_owned(), Answer::Number(1.5))]),
        ),
    ]);
    assert_eq!(
        json::write(&answer),
        json!({"Label": "a<b", "Timestamps": [1_795_003_200], "Values": [2.0, 0.5], "Empty": [],
            "Map": {"p9": 1.5}})
    );
    let xml = xml::write("Op", Some(&answer));
    let result = "<OpResult><Label>a&lt;b</Label>\
        <Timestamps><member>2026-11-18T12:00:00Z</member></Timestamps>\
        <Values><member>2.0</member><member>0.5</member></Values><Empty></Empty>\
        <Map><entry><key>p9</key><value>1.5</value></entry></Map></OpResult>";
    assert!(xml.contains(result), "{xml}");
    assert!(!xml::write("Op", None).contains("OpResult"));
    let bytes = cbor::write(&cbor::value(&answer));
    let time = b"\xc1\x1a\x6a\xfd\x93\x40".as_slice();
    assert!(
        bytes.windows(time.len()).any(|part| part == time),
        "{bytes:x?}"
    );
    assert_eq!(cbor::read(&bytes).unwrap(), json::write(&answer));
}

#[test]
fn bodies_that_are_not_what_they_say_are_refused() {
    assert!(json::read(b"[]").is_err());
    assert!(json::read(b"{").is_err());
    assert!(cbor::read(b"\x80").is_err());
    assert!(cbor::read(b"\xbf").is_err());
    assert_eq!(json::read(b"").unwrap(), json!({}));
    assert_eq!(cbor::read(b"").unwrap(), json!({}));
    assert!(gunzip(b"plain").is_err());
    let nested = vec![0x81; 100_000];
    assert!(cbor::read(&nested).is_err());
}

#[test]
fn a_packed_body_has_a_bound() {
    use std::io::Write as _;
    let pack = |length: u64| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(&vec![b' '; length as usize]).unwrap();
        packer.finish().unwrap()
    };
    assert_eq!(gunzip(&pack(1000)).unwrap().len(), 1000);
    let refused = gunzip(&pack(LARGEST_UNPACKED + 1)).unwrap_err();
    assert_eq!(refused.code, "RequestEntityTooLarge");
}

#[test]
fn an_error_has_its_names_in_every_protocol() {
    let fault = Fault::new("InvalidParameterValue", "No.");
    let parts = |path: &str, target: bool, mode: bool| {
        let mut request = http::Request::builder().uri(path);
        if target {
            request = request.header("x-amz-target", "GraniteServiceVersion20100801.X");
        }
        if mode {
            request = request.header("x-amzn-query-mode", "true");
        }
        request.body(()).unwrap().into_parts().0
    };
    let json = refuse(&parts("/", true, true), &fault);
    assert_eq!(
        json.headers()["x-amzn-query-error"],
        "InvalidParameterValue;Sender"
    );
    assert_eq!(json.headers()["content-type"], "application/x-amz-json-1.0");
    let cbor = refuse(&parts(&format!("{CBOR_PREFIX}X"), false, false), &fault);
    assert!(!cbor.headers().contains_key("x-amzn-query-error"));
    assert_eq!(cbor.headers()["smithy-protocol"], "rpc-v2-cbor");
    let query = refuse(&parts("/", false, false), &fault);
    assert_eq!(query.headers()["content-type"], "text/xml");
    for reply in [json, cbor, query] {
        assert_eq!(reply.status(), 400);
    }
}

fn answers() -> impl Strategy<Value = Answer> {
    let scalar = prop_oneof![
        ".{0,8}".prop_map(Answer::Text),
        (-1e9f64..1e9).prop_map(Answer::Number),
        (0i64..10_000_000_000).prop_map(Answer::Time),
    ];
    scalar.prop_recursive(4, 32, 4, |inner| {
        let named = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Answer::List),
            named.prop_map(|values| {
                let names = ["A", "B", "C", "D"];
                Answer::Structure(names.into_iter().zip(values).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn cbor_reads_what_it_writes(answer in answers()) {
        let whole = Answer::Structure(vec![("Whole", answer)]);
        let bytes = cbor::write(&cbor::value(&whole));
        prop_assert_eq!(cbor::read(&bytes).unwrap(), json::write(&whole));
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = cbor::read(&bytes);
        let _ = json::read(&bytes);
        let _ = gunzip(&bytes);
        let _ = form::read(&bytes, &bytes);
    }
}
