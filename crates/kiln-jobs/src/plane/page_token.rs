//! Tokens of pages: where the next page begins, under a seal, and good only for the request
//! that they were given to.

use ring::digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{JobError, SessionKeys};

/// What a token says.
#[derive(Serialize, Deserialize)]
struct Token<P> {
    request: String,
    place: P,
}

/// What tells a request from others; it is given without the token and the size of pages,
/// which may differ from page to page.
pub fn fingerprint<R: Serialize>(operation: &str, request: &R) -> Result<String, JobError> {
    let request = serde_json::to_vec(&(operation, request))?;
    let digest = digest::digest(&digest::SHA256, &request);
    Ok(hex::encode(&digest.as_ref()[..16]))
}

/// The token for what follows a place.
pub fn write<P: Serialize>(
    keys: &SessionKeys,
    request: &str,
    place: &P,
) -> Result<String, JobError> {
    let token = Token {
        request: request.to_owned(),
        place,
    };
    Ok(keys.seal(&serde_json::to_vec(&token)?))
}

/// The place that a token stands for, if we gave it to such a request.
pub fn read<P: DeserializeOwned>(
    keys: &SessionKeys,
    request: &str,
    token: &str,
) -> Result<P, JobError> {
    let content = keys.unseal(token);
    content
        .and_then(|content| serde_json::from_slice(&content).ok())
        .filter(|token: &Token<P>| token.request == request)
        .map(|token| token.place)
        .ok_or_else(|| JobError::Validation("The given NextToken is not valid.".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_request_after_a_restart() {
        let keys = || SessionKeys::new(b"secret");
        let request = fingerprint("List", &"failed jobs").unwrap();
        let token = write(&keys(), &request, &7).unwrap();
        assert_eq!(read::<i64>(&keys(), &request, &token).unwrap(), 7);

        let others = [
            fingerprint("List", &"all jobs").unwrap(),
            fingerprint("Search", &"failed jobs").unwrap(),
        ];
        for other in others {
            assert!(read::<i64>(&keys(), &other, &token).is_err());
        }
        let tampered = format!("{}A", &token[..token.len() - 1]);
        for bad in [tampered.as_str(), "", ".", "token"] {
            assert!(read::<i64>(&keys(), &request, bad).is_err(), "{bad}");
        }
        assert!(read::<i64>(&SessionKeys::new(b"other"), &request, &token).is_err());
    }
}
