//! Signature Version 4, checked for every service but S3 (whose protocol crate
//! checks its own).
//!
//! The signature is recomputed from the request as it arrived: whoever holds
//! the secret, and nobody else, can have sent exactly this, within five minutes
//! of the clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::{digest, hmac};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use crate::keyring::{AccessKey, KeyRefusal, Keyring, Principal};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// How far a request's clock may be from ours.
const SKEW: Duration = Duration::minutes(5);
/// How long a presigned request may be valid, in seconds: a week.
const LONGEST_VALIDITY: i64 = 604_800;
/// Derived signing keys kept: one a caller, day, region and service.
const KEYS_KEPT: usize = 1024;
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
/// RFC 3986's unreserved characters stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The scope that a request is signed for: day, region, service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CredentialScope {
    pub(crate) access_key: String,
    day: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// Why a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("Missing Authentication Token")]
    Missing,
    #[error("{0}")]
    Incomplete(String),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("The security token included in the request is expired")]
    ExpiredKey,
    #[error("{0}")]
    Clock(String),
    #[error("Credential should be scoped to a valid region, not '{0}'. ")]
    Region(String),
    #[error(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details."
    )]
    Mismatch,
}

/// A request's claim to be signed, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    scope: CredentialScope,
    signed_headers: Vec<String>,
    signature: String,
    time: String,
    token: Option<String>,
    /// Seconds for which a presigned request is valid; `None` for one signed by header.
    expires: Option<i64>,
}

/// The scope in a request's `Authorization` header or query, without checking
/// anything: enough to route by.
pub(crate) fn scope(parts: &Parts) -> Option<CredentialScope> {
    if let Some(header) = header(parts, "authorization") {
        return parse_scope(field(header, "Credential=")?);
    }
    let query = parts.uri.query()?;
    parse_scope(&query_value(query, "X-Amz-Credential")?)
}

/// Checks signatures, remembering derived keys.
pub(crate) struct Verifier {
    region: String,
    keys: Mutex<HashMap<(CredentialScope, String), hmac::Key>>,
}

impl Verifier {
    pub(crate) fn new(region: String) -> Self {
        Self {
            region,
            keys: Mutex::default(),
        }
    }

    /// Answers who signed the request with this body.
    pub(crate) fn verify(
        &self,
        parts: &Parts,
        body: &[u8],
        keyring: &Keyring,
        now: OffsetDateTime,
    ) -> Result<Principal, Refusal> {
        let claim = claim(parts)?;
        check_clock(&claim, now)?;
        // IAM and STS are global and signed for us-east-1 wherever one is.
        let global = matches!(claim.scope.service.as_str(), "iam" | "sts");
        if claim.scope.region != self.region && !global {
            return Err(Refusal::Region(claim.scope.region));
        }
        let found = keyring.find(&claim.scope.access_key, claim.token.as_deref());
        let (principal, secret) = found.map_err(|refusal| match refusal {
            KeyRefusal::Unknown => Refusal::UnknownKey,
            KeyRefusal::Expired => Refusal::ExpiredKey,
        })?;
        let payload = payload_hash(parts, body, claim.expires.is_some())?;
        let canonical = canonical_request(parts, &claim, &payload)?;
        let text = string_to_sign(&claim, &canonical);
        let signature = hex::decode(&claim.signature).map_err(|_| Refusal::Mismatch)?;
        let key = self.signing_key(&claim.scope, secret);
        hmac::verify(&key, text.as_bytes(), &signature).map_err(|_| Refusal::Mismatch)?;
        Ok(principal)
    }

    fn signing_key(&self, scope: &CredentialScope, secret: String) -> hmac::Key {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_KEPT {
            keys.clear();
        }
        keys.entry((scope.clone(), secret))
            .or_insert_with_key(|(scope, secret)| signing_key(secret, scope))
            .clone()
    }
}

/// Signs a request to be sent with this body: adds `x-amz-date` and
/// `authorization`. Every header that the request has by then is signed, and
/// `host` must be among them.
///
/// # Errors
/// When a header's value is not text, or there is no `host`.
pub fn sign(
    parts: &mut Parts,
    body: &[u8],
    key: &AccessKey,
    (region, service): (&str, &str),
    now: OffsetDateTime,
) -> Result<(), Unsignable> {
    let time = now.format(TIME).map_err(|_| Unsignable)?;
    let value = |text: &str| http::HeaderValue::from_str(text).map_err(|_| Unsignable);
    parts.headers.insert("x-amz-date", value(&time)?);
    let mut names: Vec<String> = parts
        .headers
        .keys()
        .map(|name| name.as_str().to_owned())
        .collect();
    names.sort();
    let claim = Claim {
        scope: CredentialScope {
            access_key: key.access_key_id.clone(),
            day: time[..8].to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        },
        signed_headers: names,
        signature: String::new(),
        time,
        token: None,
        expires: None,
    };
    let canonical = canonical_request(parts, &claim, &hash(body)).map_err(|_| Unsignable)?;
    let signing = signing_key(&key.secret_access_key, &claim.scope);
    let signature = hmac::sign(&signing, string_to_sign(&claim, &canonical).as_bytes());
    let CredentialScope {
        access_key,
        day,
        region,
        service,
    } = &claim.scope;
    let authorization = format!(
        "{ALGORITHM} Credential={access_key}/{day}/{region}/{service}/aws4_request, \
         SignedHeaders={}, Signature={}",
        claim.signed_headers.join(";"),
        hex::encode(signature)
    );
    parts
        .headers
        .insert(http::header::AUTHORIZATION, value(&authorization)?);
    Ok(())
}

/// A request that no signature can be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be signed: it needs a host header, and values that are text")]
pub struct Unsignable;

/// The key that signs for a day, region and service.
fn signing_key(secret: &str, scope: &CredentialScope) -> hmac::Key {
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    for part in [
        scope.day.as_str(),
        &scope.region,
        &scope.service,
        "aws4_request",
    ] {
        key = hmac::Key::new(
            hmac::HMAC_SHA256,
            hmac::sign(&key, part.as_bytes()).as_ref(),
        );
    }
    key
}

fn claim(parts: &Parts) -> Result<Claim, Refusal> {
    match header(parts, "authorization") {
        Some(authorization) => header_claim(parts, authorization),
        None => query_claim(parts.uri.query().unwrap_or_default()),
    }
}

fn header_claim(parts: &Parts, authorization: &str) -> Result<Claim, Refusal> {
    let incomplete = |what: &str| {
        Refusal::Incomplete(format!(
            "Authorization header requires '{what}' parameter. Authorization={authorization}"
        ))
    };
    if !authorization.starts_with(ALGORITHM) {
        return Err(Refusal::Incomplete(format!(
            "Authorization header requires the algorithm {ALGORITHM}."
        )));
    }
    let credential = field(authorization, "Credential=").ok_or_else(|| incomplete("Credential"))?;
    let headers =
        field(authorization, "SignedHeaders=").ok_or_else(|| incomplete("SignedHeaders"))?;
    let signature = field(authorization, "Signature=").ok_or_else(|| incomplete("Signature"))?;
    let time = header(parts, "x-amz-date").ok_or_else(|| {
        Refusal::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                .to_owned(),
        )
    })?;
    Ok(Claim {
        scope: parse_scope(credential).ok_or_else(|| incomplete("Credential"))?,
        signed_headers: headers.split(';').map(str::to_owned).collect(),
        signature: signature.to_owned(),
        time: time.to_owned(),
        token: header(parts, "x-amz-security-token").map(str::to_owned),
        expires: None,
    })
}

fn query_claim(query: &str) -> Result<Claim, Refusal> {
    let value = |name: &str| query_value(query, name);
    let signature = value("X-Amz-Signature").ok_or(Refusal::Missing)?;
    let incomplete =
        |name: &str| Refusal::Incomplete(format!("The query parameter {name} is missing."));
    let need = |name: &str| value(name).ok_or_else(|| incomplete(name));
    let expires: i64 = need("X-Amz-Expires")?
        .parse()
        .map_err(|_| incomplete("X-Amz-Expires"))?;
    if !(1..=LONGEST_VALIDITY).contains(&expires) {
        return Err(Refusal::Incomplete(format!(
            "X-Amz-Expires must be between 1 and {LONGEST_VALIDITY} seconds, which is a week."
        )));
    }
    Ok(Claim {
        scope: parse_scope(&need("X-Amz-Credential")?)
            .ok_or_else(|| incomplete("X-Amz-Credential"))?,
        signed_headers: need("X-Amz-SignedHeaders")?
            .split(';')
            .map(str::to_owned)
            .collect(),
        signature,
        time: need("X-Amz-Date")?,
        token: value("X-Amz-Security-Token"),
        expires: Some(expires),
    })
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

/// A field of an `Authorization` header, up to its comma.
fn field<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = authorization.split_once(name)?;
    Some(rest.split(',').next().unwrap_or(rest).trim())
}

fn query_value(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())
}

/// `AKIA…/20260131/us-east-1/sagemaker/aws4_request`
fn parse_scope(credential: &str) -> Option<CredentialScope> {
    let mut parts = credential.rsplitn(5, '/');
    let terminator = parts.next()?;
    let (service, region, day) = (parts.next()?, parts.next()?, parts.next()?);
    let access_key = parts.next()?;
    (terminator == "aws4_request").then(|| CredentialScope {
        access_key: access_key.to_owned(),
        day: day.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    })
}

fn check_clock(claim: &Claim, now: OffsetDateTime) -> Result<(), Refusal> {
    let malformed = || {
        Refusal::Incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{}'.",
            claim.time
        ))
    };
    let time = PrimitiveDateTime::parse(&claim.time, TIME)
        .map_err(|_| malformed())?
        .assume_utc();
    if claim.time.get(..8) != Some(claim.scope.day.as_str()) {
        let scope = &claim.scope.day;
        return Err(Refusal::Clock(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{scope}' != '{}', from '{}'.",
            claim.time.get(..8).unwrap_or_default(),
            claim.time
        )));
    }
    let text = |time: OffsetDateTime| time.format(TIME).unwrap_or_default();
    let life = claim.expires.map_or(SKEW, Duration::seconds);
    if time.saturating_add(life) < now {
        return Err(Refusal::Clock(format!(
            "Signature expired: {} is now earlier than {} ({} - {} min.)",
            claim.time,
            text(now - life),
            text(now),
            life.whole_minutes()
        )));
    }
    if time > now + SKEW {
        return Err(Refusal::Clock(format!(
            "Signature not yet current: {} is still later than {} ({} + 5 min.)",
            claim.time,
            text(now + SKEW),
            text(now)
        )));
    }
    Ok(())
}

/// The hash that stands for the body in the signature: the body's own, whatever
/// the caller says it is.
fn payload_hash(parts: &Parts, body: &[u8], presigned: bool) -> Result<String, Refusal> {
    let said = header(parts, "x-amz-content-sha256");
    if said == Some(UNSIGNED) || (presigned && said.is_none() && body.is_empty()) {
        // Without a signed body a request may only be one that has none.
        return if body.is_empty() {
            Ok(said.map_or_else(|| hash(body), str::to_owned))
        } else {
            Err(Refusal::Mismatch)
        };
    }
    let hash = hash(body);
    match said {
        Some(said) if said != hash => Err(Refusal::Mismatch),
        _ => Ok(hash),
    }
}

fn hash(body: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, body))
}

fn canonical_request(parts: &Parts, claim: &Claim, payload: &str) -> Result<String, Refusal> {
    let mut text = String::with_capacity(1024);
    text.push_str(parts.method.as_str());
    text.push('\n');
    text.push_str(&canonical_path(parts.uri.path()));
    text.push('\n');
    text.push_str(&canonical_query(parts.uri.query().unwrap_or_default()));
    text.push('\n');
    require_signed(parts, claim)?;
    for name in &claim.signed_headers {
        let values = parts
            .headers
            .get_all(name.as_str())
            .iter()
            .filter_map(|v| v.to_str().ok());
        let values: Vec<String> = values.map(collapsed).collect();
        text.push_str(name);
        text.push(':');
        text.push_str(&values.join(","));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&claim.signed_headers.join(";"));
    text.push('\n');
    text.push_str(payload);
    Ok(text)
}

/// What decides a request's meaning must be signed: its host, and every header
/// of AWS's own, such as the one that names the operation.
fn require_signed(parts: &Parts, claim: &Claim) -> Result<(), Refusal> {
    let own = parts.headers.keys().map(http::HeaderName::as_str);
    let needed = own
        .filter(|name| name.starts_with("x-amz-"))
        .chain(["host"]);
    let mut unsigned = needed.filter(|name| !claim.signed_headers.iter().any(|s| s == name));
    match unsigned.next() {
        Some(name) => Err(Refusal::Incomplete(format!(
            "'{name}' must be a signed header."
        ))),
        None => Ok(()),
    }
}

/// Trims a header's value and makes runs of spaces one.
fn collapsed(value: &str) -> String {
    value
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}

/// Services other than S3 sign the path encoded twice.
fn canonical_path(path: &str) -> String {
    if path.is_empty() || path == "/" {
        return "/".to_owned();
    }
    let encoded = path
        .split('/')
        .map(|segment| utf8_percent_encode(segment, ENCODED).to_string());
    encoded.collect::<Vec<_>>().join("/")
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        let decoded = percent_decode_str(text).collect::<Vec<u8>>();
        percent_encoding::percent_encode(&decoded, ENCODED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn string_to_sign(claim: &Claim, canonical: &str) -> String {
    let CredentialScope {
        day,
        region,
        service,
        ..
    } = &claim.scope;
    let hash = hash(canonical.as_bytes());
    format!(
        "{ALGORITHM}\n{}\n{day}/{region}/{service}/aws4_request\n{hash}",
        claim.time
    )
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
