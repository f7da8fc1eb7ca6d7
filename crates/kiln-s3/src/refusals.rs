//! Features of S3 that change what a request means and that Kiln does not
//! have: a request that asks for one is refused, never answered as if it had not.

use http::HeaderMap;
use s3s::S3ErrorCode;

use crate::S3Error;

/// Canned ACLs that say no more than "the owner's", which all objects are.
const OWNERS_ACLS: [&str; 3] = ["private", "bucket-owner-full-control", "bucket-owner-read"];

/// The operations that say how an object is to be encrypted.
const ENCRYPTING: [&str; 3] = ["PutObject", "CopyObject", "CreateMultipartUpload"];

/// Refuses a request whose headers or query ask for something that Kiln lacks
/// or that the operation does not do.
pub(crate) fn check(
    operation: &str,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<(), S3Error> {
    for (name, value) in headers {
        let value = value.to_str().unwrap_or_default();
        check_header(operation, name.as_str(), value)?;
    }
    match query_value(query, "versionId") {
        Some(version) if version != "null" => Err(S3Error::not_implemented("object versions")),
        _ => Ok(()),
    }
}

fn check_header(operation: &str, name: &str, value: &str) -> Result<(), S3Error> {
    match name {
        "x-amz-server-side-encryption" if !ENCRYPTING.contains(&operation) => {
            Err(S3Error::refused(
                S3ErrorCode::InvalidArgument,
                "x-amz-server-side-encryption header is not supported for this operation.",
            ))
        }
        "x-amz-acl" if OWNERS_ACLS.contains(&value) => Ok(()),
        "x-amz-acl" => Err(no_acls()),
        "x-amz-write-offset-bytes" => Err(S3Error::not_implemented("appending to objects")),
        _ if name.starts_with("x-amz-grant-") => Err(no_acls()),
        _ if name.contains("-encryption-customer-") => Err(S3Error::not_implemented(
            "encryption with the customer's keys",
        )),
        _ if name.starts_with("x-amz-object-lock-") => Err(S3Error::not_implemented("object lock")),
        _ => Ok(()),
    }
}

fn no_acls() -> S3Error {
    S3Error::refused(
        S3ErrorCode::AccessControlListNotSupported,
        "The bucket does not allow ACLs",
    )
}

/// The value of a query parameter.
pub(crate) fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    form_urlencoded::parse(query?.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kiln_lacks_is_refused() {
        let judge =
            |operation: &str, name: &'static str, value: &'static str, query: Option<&str>| {
                let mut headers = HeaderMap::new();
                headers.insert(name, value.parse().unwrap());
                match check(operation, &headers, query) {
                    Ok(()) => "fine".to_owned(),
                    Err(S3Error::Refused { code, .. }) => code.as_str().to_owned(),
                    Err(other) => other.to_string(),
                }
            };
        let acl = "AccessControlListNotSupported";
        let lacking = "NotImplemented";
        let cases = [
            ("content-type", "text/plain", None, "fine"),
            ("x-amz-acl", "private", None, "fine"),
            ("x-amz-acl", "public-read", None, acl),
            ("x-amz-grant-read", "id=1", None, acl),
            ("x-amz-server-side-encryption", "AES256", None, "fine"),
            ("x-amz-server-side-encryption", "aws:kms", None, "fine"),
            (
                "x-amz-server-side-encryption-customer-key",
                "k",
                None,
                lacking,
            ),
            ("x-amz-object-lock-mode", "GOVERNANCE", None, lacking),
            ("host", "h", Some("versionId=null"), "fine"),
            ("host", "h", Some("x=1&versionId=3"), lacking),
        ];
        for (name, value, query, expected) in cases {
            let verdict = judge("PutObject", name, value, query);
            assert_eq!(verdict, expected, "{name} {query:?}");
        }
        // The upload says it for all of its parts.
        let part = judge("UploadPart", "x-amz-server-side-encryption", "AES256", None);
        assert_eq!(part, "InvalidArgument");
    }
}
