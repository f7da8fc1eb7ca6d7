//! Signature Version 4, checked for every service but S3 (whose protocol crate
//! checks its own).
//!
//! The signature is recomputed from the request as it arrived: whoever holds
//! the secret, and nobody else, can have sent exactly this, within five minutes
//! of the clock. All that the head of a request can prove is proved before its
//! body is read.

mod canonical;
mod claim;
mod sign;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::request::Parts;
use ring::hmac;
use time::OffsetDateTime;

use self::canonical::{canonical_request, require_signed, signing_key, string_to_sign};
use self::claim::{Claim, CredentialScope, check_clock, claim, header};
use crate::keyring::{KeyRefusal, Keyring, Principal};

pub(crate) use self::canonical::hash;
pub(crate) use self::claim::scope;
pub(crate) use self::sign::sign_payload;
pub use self::sign::{Unsignable, sign};

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// Derived signing keys kept: one a caller, day, region and service.
const KEYS_KEPT: usize = 1024;

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

    /// Checks all that can be checked before the body is there: the time, the
    /// key, and where the head says what the body's hash is, the signature.
    pub(crate) fn admit(
        &self,
        parts: &Parts,
        keyring: &Keyring,
        now: OffsetDateTime,
    ) -> Result<Admitted, Refusal> {
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
        require_signed(parts, &claim)?;
        let signing = Signing {
            key: self.signing_key(&claim.scope, secret),
            claim,
        };
        Ok(Admitted {
            payload: signing.payload(parts)?,
            signing,
            principal,
        })
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

/// A request whose head is in order.
pub(crate) struct Admitted {
    principal: Principal,
    signing: Signing,
    payload: Payload,
}

/// What the head says of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Payload {
    /// Its hash. The signature is right for it.
    Stated(String),
    /// That it is not signed. The signature is right, and there must be no body.
    Unsigned,
    /// Nothing. The signature waits for the body.
    Unstated,
}

impl Admitted {
    /// Answers who signed the request, given its body.
    pub(crate) fn confirm(self, parts: &Parts, body: &[u8]) -> Result<Principal, Refusal> {
        let genuine = match &self.payload {
            Payload::Stated(said) => *said == hash(body),
            Payload::Unsigned => body.is_empty(),
            Payload::Unstated => self.signing.holds(parts, &hash(body)),
        };
        if genuine {
            Ok(self.principal)
        } else {
            Err(Refusal::Mismatch)
        }
    }
}

/// A claim, and the key that it must have been made with.
struct Signing {
    claim: Claim,
    key: hmac::Key,
}

impl Signing {
    /// What the head says of the body, once the signature is found to cover it.
    fn payload(&self, parts: &Parts) -> Result<Payload, Refusal> {
        let Some(said) = header(parts, "x-amz-content-sha256") else {
            return Ok(Payload::Unstated);
        };
        if !self.holds(parts, said) {
            return Err(Refusal::Mismatch);
        }
        Ok(match said {
            UNSIGNED => Payload::Unsigned,
            hash => Payload::Stated(hash.to_owned()),
        })
    }

    /// Whether the signature is that of the request with this payload.
    fn holds(&self, parts: &Parts, payload: &str) -> bool {
        let canonical = canonical_request(parts, &self.claim, payload);
        let text = string_to_sign(&self.claim, &canonical);
        hex::decode(&self.claim.signature)
            .is_ok_and(|signature| hmac::verify(&self.key, text.as_bytes(), &signature).is_ok())
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
