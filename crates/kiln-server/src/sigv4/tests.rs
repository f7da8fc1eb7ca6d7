//! A signature that AWS published, and what must not pass for one.

use time::PrimitiveDateTime;

use super::claim::{TIME, parse_scope};
use super::*;
use crate::keyring::AccessKey;

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

fn signing(parts: &Parts) -> Signing {
    let claim = claim(parts).unwrap();
    Signing {
        key: signing_key(SECRET, &claim.scope),
        claim,
    }
}

fn matches(parts: &Parts) -> bool {
    signing(parts).holds(parts, &hash(b""))
}

/// Whether a request that [`SECRET`] signed counts with this body.
fn confirms(parts: &Parts, body: &[u8]) -> Result<Principal, Refusal> {
    let signing = signing(parts);
    let admitted = Admitted {
        payload: signing.payload(parts)?,
        signing,
        principal: Principal::Root,
    };
    admitted.confirm(parts, body)
}

/// A POST that says this of its body, signed for exactly that.
fn stating(said: &str) -> Parts {
    let mut request = parts(
        http::Request::post("/")
            .header("host", "localhost:1")
            .header("x-amz-content-sha256", said)
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AK/20150830/us-east-1/sagemaker/aws4_request, \
                 SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=00",
            ),
    );
    let Signing { claim, key } = signing(&request);
    let text = string_to_sign(&claim, &canonical_request(&request, &claim, said));
    let signature = hex::encode(hmac::sign(&key, text.as_bytes()));
    let authorization = request.headers["authorization"].to_str().unwrap();
    let signed = authorization.replace("Signature=00", &format!("Signature={signature}"));
    request
        .headers
        .insert("authorization", signed.parse().unwrap());
    request
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
    let signed = stating(&hash(b"the body that was signed"));
    assert_eq!(
        confirms(&signed, b"the body that was signed"),
        Ok(Principal::Root)
    );
    assert_eq!(confirms(&signed, b"another body"), Err(Refusal::Mismatch));
    let unsigned = stating(UNSIGNED);
    assert_eq!(confirms(&unsigned, b""), Ok(Principal::Root));
    assert_eq!(confirms(&unsigned, b"a body"), Err(Refusal::Mismatch));
}

#[test]
fn a_wrong_signature_over_a_stated_hash_is_refused_before_the_body_is_read() {
    let mut forged = stating(&hash(b"body"));
    forged
        .headers
        .insert("host", "localhost:2".parse().unwrap());
    assert_eq!(signing(&forged).payload(&forged), Err(Refusal::Mismatch));
    let mut restated = stating(&hash(b"body"));
    let other = hash(b"other").parse().unwrap();
    restated.headers.insert("x-amz-content-sha256", other);
    assert_eq!(confirms(&restated, b"other"), Err(Refusal::Mismatch));
}

#[test]
fn a_claim_shows_no_token_and_no_signature() {
    let mut request = stating(UNSIGNED);
    request
        .headers
        .insert("x-amz-security-token", "the-token".parse().unwrap());
    let claim = claim(&request).unwrap();
    let shown = format!("{claim:?}");
    assert_eq!(claim.token.as_deref(), Some("the-token"));
    assert!(
        !shown.contains("the-token") && !shown.contains(&claim.signature),
        "{shown}"
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
    let refused = require_signed(&added, &claim(&added).unwrap());
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
