//! What a signature covers. The protocol crate checks the signature over the
//! headers that the request says are signed; that all those are signed which
//! decide what the request means is seen to here. Else whoever is given a URL to
//! put an object to could turn it into a copy of any other.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use s3s::S3ErrorCode;

use crate::S3Error;
use crate::refusals::query_value;

/// What AWS's own headers begin with.
const OWN: &str = "x-amz-";
/// It can only have the body checked, and some clients add it to a signed URL.
const HARMLESS: &str = "x-amz-content-sha256";

/// Refuses a request with a header of AWS's own that is not signed.
pub(crate) fn check(headers: &HeaderMap, query: Option<&str>) -> Result<(), S3Error> {
    let Some(signed) = signed_headers(headers, query) else {
        // Version 2 knows no list: it signs all of them.
        return Ok(());
    };
    let own = headers.keys().map(http::HeaderName::as_str);
    let mut own = own.filter(|name| name.starts_with(OWN) && *name != HARMLESS);
    match own.find(|name| !signed.split(';').any(|one| one == *name)) {
        Some(name) => Err(S3Error::refused(
            S3ErrorCode::AccessDenied,
            format!("There were headers present in the request which were not signed: {name}"),
        )),
        None => Ok(()),
    }
}

/// The list of the signature that counts: the URL's, where there is one.
fn signed_headers(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    if query_value(query, "Signature").is_some() {
        return None;
    }
    if query_value(query, "X-Amz-Signature").is_some() {
        return Some(query_value(query, "X-Amz-SignedHeaders").unwrap_or_default());
    }
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, list) = authorization.split_once("SignedHeaders=")?;
    Some(list.split(',').next().unwrap_or(list).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_awss_own_are_signed() {
        let header = "AWS4-HMAC-SHA256 Credential=k, SignedHeaders=host;x-amz-date, Signature=s";
        let url = "X-Amz-SignedHeaders=host%3Bx-amz-acl&X-Amz-Signature=s";
        // (authorization, query, header of the request, whether it is let in)
        let cases = [
            (header, "", "x-amz-date", true),
            (header, "", "x-amz-acl", false),
            (header, "", "x-amz-dat", false),
            (header, "", "range", true),
            (header, "", HARMLESS, true),
            ("", url, "x-amz-acl", true),
            ("", url, "x-amz-copy-source", false),
            ("", "X-Amz-Signature=s", "x-amz-acl", false),
            // The URL's signature is the one that is checked.
            (header, url, "x-amz-date", false),
            ("AWS k:s", "", "x-amz-acl", true),
            (header, "Signature=s", "x-amz-acl", true),
        ];
        for (authorization, query, name, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, authorization.parse().unwrap());
            headers.insert(name, "value".parse().unwrap());
            let outcome = check(&headers, Some(query));
            assert_eq!(outcome.is_ok(), expected, "{authorization} {query} {name}");
        }
    }
}
