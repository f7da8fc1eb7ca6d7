//! The server that gives a container its keys.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use ureq::http::Uri;

use super::credentials::{parsed, printed, unretrieved};
use super::{Credentials, variable};
use crate::failure::Failure;

const PLACE: &str = "container-role";
const USUAL_SERVER: &str = "169.254.170.2";
/// The hosts besides this one that may be asked without TLS.
const TRUSTED: [&str; 4] = [USUAL_SERVER, "169.254.170.23", "fd00:ec2::23", "localhost"];
/// The server is on this machine, or next to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the server that the container was told of; none if it was told of none.
pub(super) fn ask() -> Result<Option<Credentials>, Failure> {
    let relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let relative = relative.map(|path| format!("http://{USUAL_SERVER}{path}"));
    let Some(url) = relative.or_else(|| variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")) else {
        return Ok(None);
    };
    check(&url)?;
    let mut request = ureq::get(&url)
        .config()
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        // The token and the keys are for nobody in between.
        .proxy(None)
        .build();
    if let Some(token) = authorization()? {
        request = request.header("Authorization", token);
    }
    let body = request
        .call()
        .and_then(|mut response| response.body_mut().read_to_string())
        .map_err(|error| unretrieved(PLACE, error))?;
    let found = printed(&parsed(&body, PLACE)?, "Token");
    found
        .map(Some)
        .map_err(|name| unretrieved(PLACE, format!("Missing required key in response: '{name}'")))
}

/// The token that the server wants to see.
fn authorization() -> Result<Option<String>, Failure> {
    let token = match variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(path) => {
            let read = fs::read_to_string(&path);
            Some(read.map_err(|error| unretrieved(PLACE, format!("{path}: {error}")))?)
        }
        None => variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    if token
        .as_ref()
        .is_some_and(|token| token.contains(['\r', '\n']))
    {
        return Err(Failure::General(
            "Auth token value is not a legal header value".to_owned(),
        ));
    }
    Ok(token)
}

/// Keys go over the network in the clear only where that stays near.
fn check(url: &str) -> Result<(), Failure> {
    let uri: Uri = url
        .parse()
        .map_err(|error| unretrieved(PLACE, format!("{url}: {error}")))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<IpAddr>();
    let is_near = address.is_ok_and(|address| address.is_loopback()) || TRUSTED.contains(&host);
    if is_near || uri.scheme_str() == Some("https") {
        return Ok(());
    }
    Err(Failure::General(format!(
        "Unsupported host '{host}'.  Can only retrieve metadata from a loopback address or one of \
         these hosts: {}",
        TRUSTED.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_servers_are_asked_in_the_clear() {
        for url in [
            "http://169.254.170.2/x",
            "http://127.0.0.9:80/x",
            "http://[::1]:1/x",
            "http://[fd00:ec2::23]/x",
            "https://example.com/x",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.com/x",
            "http://169.254.170.2.example.com/",
            "x",
            "",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
    }
}
