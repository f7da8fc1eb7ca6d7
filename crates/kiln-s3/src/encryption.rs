//! How requests say that objects are to be encrypted, and how answers say that
//! they are.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kiln_store::objects::Encryption;
use s3s::S3ErrorCode;
use s3s::dto::ServerSideEncryption;

use crate::S3Error;
use crate::service::Site;

/// The alias of the key that S3 takes when a request names none.
const DEFAULT_KEY: &str = "alias/aws/s3";
/// KMS's limit on the length of a key's name.
const LONGEST_KEY: usize = 2048;

/// What a request says of encryption.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// `x-amz-server-side-encryption`.
    pub(crate) algorithm: Option<String>,
    /// `x-amz-server-side-encryption-aws-kms-key-id`.
    pub(crate) key: Option<String>,
    /// `x-amz-server-side-encryption-context`.
    pub(crate) context: Option<String>,
    /// `x-amz-server-side-encryption-bucket-key-enabled`.
    pub(crate) bucket_key: Option<bool>,
}

/// What a request says of encryption. Putting, copying and beginning an upload
/// share the members' names, not a type.
macro_rules! asked_of {
    ($input:expr) => {
        $crate::encryption::Asked {
            algorithm: $input
                .server_side_encryption
                .as_ref()
                .map(|algorithm| algorithm.as_str().to_owned()),
            key: $input.ssekms_key_id.clone(),
            context: $input.ssekms_encryption_context.clone(),
            bucket_key: $input.bucket_key_enabled,
        }
    };
}

/// Fills the members of an answer that say how an object is encrypted.
macro_rules! fill_encryption {
    ($output:expr, $encryption:expr) => {
        if let Some(encryption) = $encryption {
            $output.server_side_encryption = Some($crate::encryption::algorithm_of(encryption));
            if let kiln_store::objects::Encryption::Kms { key, bucket_key } = encryption {
                $output.ssekms_key_id = Some(key.clone());
                $output.bucket_key_enabled = bucket_key.then_some(true);
            }
        }
    };
}

pub(crate) use {asked_of, fill_encryption};

/// A method as S3 writes it.
pub(crate) fn algorithm_of(encryption: &Encryption) -> ServerSideEncryption {
    ServerSideEncryption::from_static(match encryption {
        Encryption::Aes256 => ServerSideEncryption::AES256,
        Encryption::Kms { .. } => ServerSideEncryption::AWS_KMS,
    })
}

/// Whether the entity tag of an object says nothing of its bytes.
pub(crate) fn hides_tag(encryption: Option<&Encryption>) -> bool {
    matches!(encryption, Some(Encryption::Kms { .. }))
}

impl Asked {
    /// How the object is to be encrypted: as the request says or, when it says
    /// nothing, by the `default` of its bucket.
    pub(crate) fn decide(
        &self,
        site: &Site,
        default: Option<Encryption>,
    ) -> Result<Option<Encryption>, S3Error> {
        let kms_only = [self.key.is_some(), self.context.is_some()].contains(&true);
        match self.algorithm.as_deref() {
            Some(ServerSideEncryption::AWS_KMS) => self.by_kms(site).map(Some),
            Some(ServerSideEncryption::AES256) | None if kms_only => Err(invalid(
                "Server Side Encryption with AWS KMS managed key requires HTTP header \
                 x-amz-server-side-encryption : aws:kms",
            )),
            Some(ServerSideEncryption::AES256) => Ok(Some(Encryption::Aes256)),
            Some(ServerSideEncryption::AWS_KMS_DSSE) => Err(S3Error::not_implemented(
                "encryption in two layers (aws:kms:dsse)",
            )),
            Some(_) => Err(invalid("The encryption method specified is not supported")),
            None => Ok(default),
        }
    }

    fn by_kms(&self, site: &Site) -> Result<Encryption, S3Error> {
        if let Some(context) = &self.context {
            check_context(context)?;
        }
        Ok(Encryption::Kms {
            key: key_arn(self.key.as_deref().unwrap_or(DEFAULT_KEY), site)?,
            bucket_key: self.bucket_key == Some(true),
        })
    }
}

/// The full name of a KMS key, of which clients may say the last part alone.
fn key_arn(name: &str, site: &Site) -> Result<String, S3Error> {
    let fine = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_/".contains(c);
        !part.is_empty() && part.chars().all(allowed)
    };
    let resource = match name.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", _, "kms", region, account, resource] if fine(region) && fine(account) => resource
            .strip_prefix("key/")
            .or_else(|| resource.strip_prefix("alias/")),
        _ => Some(name),
    };
    if name.len() > LONGEST_KEY || !resource.is_some_and(fine) {
        return Err(S3Error::refused(
            S3ErrorCode::Custom("KMS.NotFoundException".into()),
            format!("Invalid keyId '{name}'"),
        ));
    }
    if name.starts_with("arn:") {
        return Ok(name.to_owned());
    }
    let kind = if name.starts_with("alias/") {
        ""
    } else {
        "key/"
    };
    let Site { region, account } = site;
    Ok(format!("arn:aws:kms:{region}:{account}:{kind}{name}"))
}

/// The context is for KMS's own log, which Kiln does not have; it only has to be one.
fn check_context(header: &str) -> Result<(), S3Error> {
    let json = BASE64.decode(header).ok();
    let map = json.and_then(|json| serde_json::from_slice::<BTreeMap<String, String>>(&json).ok());
    map.map(|_| ()).ok_or_else(|| {
        invalid(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 \
             string holding JSON which represents a string-string map",
        )
    })
}

fn invalid(message: &str) -> S3Error {
    S3Error::refused(S3ErrorCode::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_key_is_an_arn_or_refused(name in "\\PC*|(arn:)?[a-z]{0,4}:kms:r:1:(key/|alias/)?[a-z:/]{0,9}") {
            if let Ok(arn) = key_arn(&name, &site()) {
                prop_assert_eq!(arn.split(':').count(), 6);
                prop_assert_eq!(key_arn(&arn, &site()).unwrap(), arn);
            }
        }
    }

    fn site() -> Site {
        Site {
            region: "eu-west-1".to_owned(),
            account: "111122223333".to_owned(),
        }
    }

    fn verdict(asked: &Asked, default: Option<Encryption>) -> String {
        match asked.decide(&site(), default) {
            Ok(None) => "plain".to_owned(),
            Ok(Some(Encryption::Aes256)) => "AES256".to_owned(),
            Ok(Some(Encryption::Kms { key, bucket_key })) => format!("{key} {bucket_key}"),
            Err(S3Error::Refused { code, .. }) => code.as_str().to_owned(),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn requests_choose_the_encryption() {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let context = BASE64.encode(r#"{"a":"b"}"#);
        let here = "arn:aws:kms:eu-west-1:111122223333:";
        // (algorithm, key, context, verdict)
        let cases = [
            ("", "", "", "plain".to_owned()),
            ("AES256", "", "", "AES256".to_owned()),
            ("aws:kms", "", "", format!("{here}alias/aws/s3 false")),
            ("aws:kms", "k-1", "", format!("{here}key/k-1 false")),
            (
                "aws:kms",
                "alias/mine",
                &context,
                format!("{here}alias/mine false"),
            ),
            (
                "aws:kms",
                "arn:aws-cn:kms:cn-north-1:1:key/k",
                "",
                "arn:aws-cn:kms:cn-north-1:1:key/k false".to_owned(),
            ),
            (
                "aws:kms",
                "arn:aws:kms:r:1:other/k",
                "",
                "KMS.NotFoundException".to_owned(),
            ),
            (
                "aws:kms",
                "arn:aws:s3:::bucket",
                "",
                "KMS.NotFoundException".to_owned(),
            ),
            ("aws:kms", "no key", "", "KMS.NotFoundException".to_owned()),
            ("aws:kms", "k", "not base64", "InvalidArgument".to_owned()),
            ("aws:kms", "k", "WzFd", "InvalidArgument".to_owned()),
            ("AES256", "k", "", "InvalidArgument".to_owned()),
            ("", "k", "", "InvalidArgument".to_owned()),
            ("aws:kms:dsse", "", "", "NotImplemented".to_owned()),
            ("AES512", "", "", "InvalidArgument".to_owned()),
        ];
        for (algorithm, key, context, expected) in cases {
            let asked = Asked {
                algorithm: some(algorithm),
                key: some(key),
                context: some(context),
                bucket_key: None,
            };
            assert_eq!(verdict(&asked, None), expected, "{asked:?}");
        }
    }

    #[test]
    fn buckets_speak_for_requests_that_do_not() {
        let default = Encryption::Kms {
            key: "arn".to_owned(),
            bucket_key: true,
        };
        assert_eq!(
            verdict(&Asked::default(), Some(default.clone())),
            "arn true"
        );
        let asked = Asked {
            algorithm: Some("AES256".to_owned()),
            ..Asked::default()
        };
        assert_eq!(verdict(&asked, Some(default)), "AES256");
    }
}
