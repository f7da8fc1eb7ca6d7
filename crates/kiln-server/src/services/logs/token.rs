//! Page tokens: a place, and a sum of it and of what it is a place in, so that nothing else is
//! read from there, nor from a place that nobody gave.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use ring::digest::{SHA256, digest};

use super::bad_token;
use crate::reply::Fault;

/// The token of a place in what a request asks for.
pub(super) fn write(place: impl Display, asked: impl Debug) -> String {
    let place = place.to_string();
    let sum = sum(&place, asked);
    format!("{place}/{sum}")
}

/// The place that a request's token says.
pub(super) fn read<P: FromStr>(token: &str, asked: impl Debug) -> Result<P, Fault> {
    let (place, found) = token.rsplit_once('/').ok_or_else(bad_token)?;
    if found != sum(place, asked) {
        return Err(bad_token());
    }
    place.parse().map_err(|_| bad_token())
}

fn sum(place: &str, asked: impl Debug) -> String {
    let all = format!("{place:?}{asked:?}");
    hex::encode(&digest(&SHA256, all.as_bytes()).as_ref()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_what_it_was_given_for() {
        let token = write("a/7", ("group", "stream"));
        let place = |token: &str, asked| read::<String>(token, asked).ok();
        assert_eq!(place(&token, ("group", "stream")).as_deref(), Some("a/7"));
        assert_eq!(place(&token, ("group", "another")), None);
        for damaged in ["", "a/7", &token.replace('7', "8"), &format!("{token}0")] {
            assert_eq!(place(damaged, ("group", "stream")), None, "{damaged}");
        }
        assert!(read::<i64>(&write("a", ()), ()).is_err());
    }
}
