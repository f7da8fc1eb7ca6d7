//! A signature that AWS published, and what must not pass for one.

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn parts(request: http::request::Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

fn instant(text: &str) -> OffsetDateTime {
    PrimitiveDateTime::parse(text, TIME).unwrap().assume_utc()
}

/// AWS's published example: `GET /?Param1=value1&Param2=value2` of its
/// Signature Version 4 test suite (`get-vanilla-query-order-key-case`).
fn published() -> Parts {
    parts(
        http::Request::get("/?Param2=value2&Param1=value1")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature=\
                 b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
    )
}

fn matches(parts: &Parts) -> bool {
    let claim = claim(parts).unwrap();
    let payload = payload_hash(parts, b"", false).unwrap();
    let canonical = canonical_request(parts, &claim, &payload).unwrap();
    let key = signing_key(SECRET, &claim.scope);
    let signature = hex::decode(&claim.signature).unwrap();
    hmac::verify(
        &key,
        string_to_sign(&claim, &canonical).as_bytes(),
        &signature,
    )
    .is_ok()
}

#[test]
fn the_published_example_verifies_and_any_change_breaks_it() {
    let good = published();
    assert!(matches(&good));
    let mut other_query = published();
    other_query.uri = "/?Param2=value2&Param1=value3".parse().unwrap();
    let mut other_path = published();
    other_path.uri = "/x?Param2=value2&Param1=value1".parse().unwrap();
    let mut other_host = published();
    other_host
        .headers
        .insert("host", "example.org".parse().unwrap());
    let mut other_method = published();
    other_method.method = http::Method::POST;
    for changed in [other_query, other_path, other_host, other_method] {
        assert!(!matches(&changed), "{changed:?}");
    }
}

#[test]
fn a_replayed_request_with_another_body_is_refused() {
    let signed = parts(
        http::Request::post("/").header("x-amz-content-sha256", hash(b"the body that was signed")),
    );
    assert_eq!(
        payload_hash(&signed, b"another body", false),
        Err(Refusal::Mismatch)
    );
    let unsigned = parts(http::Request::post("/").header("x-amz-content-sha256", UNSIGNED));
    assert_eq!(
        payload_hash(&unsigned, b"a body", false),
        Err(Refusal::Mismatch)
    );
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    let claim = claim(&published()).unwrap();
    let check = |now: &str| check_clock(&claim, instant(now)).map_err(|error| error.to_string());
    assert_eq!(check("20150830T124100Z"), Ok(()));
    assert_eq!(check("20150830T123100Z"), Ok(()));
    assert_eq!(
        check("20150830T124101Z"),
        Err(
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
             (20150830T124101Z - 5 min.)"
                .to_owned()
        )
    );
    assert_eq!(
        check("20150830T123059Z"),
        Err(
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
             (20150830T123059Z + 5 min.)"
                .to_owned()
        )
    );
}

#[test]
fn a_request_without_a_signature_says_so() {
    assert_eq!(
        claim(&parts(http::Request::get("/"))),
        Err(Refusal::Missing)
    );
    let basic = parts(http::Request::get("/").header("authorization", "Basic x"));
    assert!(matches!(claim(&basic), Err(Refusal::Incomplete(_))));
}

#[test]
fn what_names_the_operation_must_be_signed() {
    let mut added = published();
    added.headers.insert(
        "x-amz-target",
        "SageMaker.DeleteTrainingJob".parse().unwrap(),
    );
    let refused = canonical_request(&added, &claim(&added).unwrap(), &hash(b""));
    let expected = "'x-amz-target' must be a signed header.".to_owned();
    assert_eq!(refused, Err(Refusal::Incomplete(expected)));
}

#[test]
fn a_scope_is_read_from_its_end() {
    let scope = parse_scope("AK/with/slashes/20150830/us-east-1/iam/aws4_request").unwrap();
    assert_eq!(
        (scope.access_key.as_str(), scope.service.as_str()),
        ("AK/with/slashes", "iam")
    );
    assert_eq!(parse_scope("AKID/20150830/us-east-1/iam"), None);
}

#[test]
fn what_we_sign_we_verify() {
    let key = AccessKey {
        access_key_id: "AK".to_owned(),
        secret_access_key: SECRET.to_owned(),
    };
    let mut request = parts(http::Request::post("/a%20b?x=1").header("host", "localhost:1"));
    sign(
        &mut request,
        b"",
        &key,
        ("us-east-1", "sagemaker"),
        instant("20150830T123600Z"),
    )
    .unwrap();
    assert!(matches(&request));
}
