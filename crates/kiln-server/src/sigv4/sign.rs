//! Signing requests, for those that ask a server.

use http::request::Parts;
use ring::hmac;
use time::OffsetDateTime;

use super::canonical::{
    ALGORITHM, canonical_request, hash, require_signed, signing_key, string_to_sign,
};
use super::claim::{Claim, CredentialScope, TIME};
use crate::keyring::AccessKey;

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
    place: (&str, &str),
    now: OffsetDateTime,
) -> Result<(), Unsignable> {
    sign_payload(parts, &hash(body), key, place, now)
}

/// Signs a request as [`sign`] does, with what stands for its body.
pub(crate) fn sign_payload(
    parts: &mut Parts,
    payload: &str,
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
    require_signed(parts, &claim).map_err(|_| Unsignable)?;
    let canonical = canonical_request(parts, &claim, payload);
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
