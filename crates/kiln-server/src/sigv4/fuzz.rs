//! A fuzz target for what a request says of its signature.

use http::Request;

use super::claim::{claim, scope};

/// Anything in the headers and the query is a claim or is refused, and a claim
/// can be routed by the same scope that it is checked for.
#[test]
fn claims() {
    bolero::check!()
        .with_type::<(String, String, bool)>()
        .for_each(|(credential, rest, by_query)| {
            let encoded: String = form_urlencoded::byte_serialize(credential.as_bytes()).collect();
            let request = match by_query {
                true => Request::get(format!(
                    "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={encoded}&X-Amz-Date={rest}\
                     &X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
                )),
                false => Request::get("/").header("x-amz-date", rest).header(
                    "authorization",
                    format!(
                        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={rest}, \
                         Signature={rest}"
                    ),
                ),
            };
            // What is no header or no target never gets as far as this.
            let Ok(request) = request.body(()) else {
                return;
            };
            let (parts, ()) = request.into_parts();
            if let Ok(claim) = claim(&parts) {
                assert_eq!(scope(&parts), Some(claim.scope));
            }
        });
}
