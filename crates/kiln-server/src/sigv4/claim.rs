//! What a request says of its signature, and whether its time is right.

use std::fmt;

use http::request::Parts;
use percent_encoding::percent_decode_str;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::Refusal;
use super::canonical::ALGORITHM;

/// How far a request's clock may be from ours.
const SKEW: Duration = Duration::minutes(5);
/// How long a presigned request may be valid, in seconds: a week.
const LONGEST_VALIDITY: i64 = 604_800;
/// The form of a request's time.
pub(super) const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// The scope that a request is signed for: day, region, service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CredentialScope {
    pub(crate) access_key: String,
    pub(super) day: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// A request's claim to be signed, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) scope: CredentialScope,
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    pub(super) time: String,
    pub(super) token: Option<String>,
    /// Seconds for which a presigned request is valid; `None` for one signed by header.
    pub(super) expires: Option<i64>,
}

impl fmt::Debug for Claim {
    /// Leaves out what could be used: the session token and the signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("scope", &self.scope)
            .field("signed_headers", &self.signed_headers)
            .field("time", &self.time)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
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

pub(super) fn claim(parts: &Parts) -> Result<Claim, Refusal> {
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

pub(super) fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
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
pub(super) fn parse_scope(credential: &str) -> Option<CredentialScope> {
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

pub(super) fn check_clock(claim: &Claim, now: OffsetDateTime) -> Result<(), Refusal> {
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
