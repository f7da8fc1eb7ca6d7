//! A signer of its own for Signature Version 4, in the header form.
//!
//! It shares nothing with the server's verifier, so the figures are those of
//! requests that a stranger signed.

use ring::{digest, hmac};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// A secret that is bound to a day, a region and a service.
#[derive(Debug, Clone)]
pub struct Signer {
    access_key: String,
    secret: String,
    region: &'static str,
    service: &'static str,
    derived: Option<(Date, hmac::Key)>,
}

/// The headers that a signature adds to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `X-Amz-Date`.
    pub time: String,
    /// `X-Amz-Content-Sha256`.
    pub payload: String,
    /// `Authorization`.
    pub authorization: String,
}

impl Signer {
    /// A signer for one service.
    pub fn new(
        access_key: &str,
        secret: &str,
        region: &'static str,
        service: &'static str,
    ) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret: secret.to_owned(),
            region,
            service,
            derived: None,
        }
    }

    /// Signs a request without a query. `headers` are lower-case, sorted, and
    /// sent as given.
    pub fn sign(
        &mut self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
        now: OffsetDateTime,
    ) -> Signature {
        let time = now.format(TIME).unwrap_or_default();
        let payload = hash(body);
        let mut all = headers.to_vec();
        all.push(("x-amz-content-sha256", &payload));
        all.push(("x-amz-date", &time));
        all.sort_unstable();
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = all
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{payload}");
        let scope = format!(
            "{}/{}/{}/aws4_request",
            &time[..8],
            self.region,
            self.service
        );
        let text = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            hash(canonical.as_bytes())
        );
        let key = self.key(now.date(), &time[..8]);
        let signature = hex::encode(hmac::sign(&key, text.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        );
        Signature {
            time,
            payload,
            authorization,
        }
    }

    fn key(&mut self, date: Date, day: &str) -> hmac::Key {
        if let Some((derived, key)) = &self.derived
            && *derived == date
        {
            return key.clone();
        }
        let first = format!("AWS4{}", self.secret).into_bytes();
        let steps = [day, self.region, self.service, "aws4_request"];
        let secret = steps.into_iter().fold(first, |secret, step| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            hmac::sign(&key, step.as_bytes()).as_ref().to_vec()
        });
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        self.derived = Some((date, key.clone()));
        key
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// The signature is botocore's for the same request.
    #[test]
    fn a_request_is_signed_as_another_implementation_does() {
        let mut signer = Signer::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "us-east-1",
            "sagemaker",
        );
        let signature = signer.sign(
            ("POST", "/"),
            &[("host", "127.0.0.1:7878")],
            b"{}",
            datetime!(2026-01-31 12:00:00 UTC),
        );
        assert_eq!(signature.time, "20260131T120000Z");
        assert_eq!(
            signature.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/us-east-1/sagemaker/aws4_request, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=302660957f95058e0d1f4112650fa439ced17395ac25e4ae5591f44752bd4ae9"
        );
    }

    #[test]
    fn a_derived_key_is_used_again_only_on_its_day() {
        let sign =
            |signer: &mut Signer, now| signer.sign(("POST", "/"), &[("host", "h")], b"", now);
        let mut signer = Signer::new("A", "S", "us-east-1", "s3");
        let (one, other) = (
            datetime!(2026-01-31 12:00 UTC),
            datetime!(2026-02-01 12:00 UTC),
        );
        sign(&mut signer, one);
        let fresh = sign(&mut Signer::new("A", "S", "us-east-1", "s3"), other);
        assert_eq!(sign(&mut signer, other), fresh);
    }
}
