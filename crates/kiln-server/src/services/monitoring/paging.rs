//! Tokens of next pages: a place, and a sum of the query that it belongs to, so
//! that no token is taken for another query's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

/// A place in a list of lists as deep as there are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<const N: usize>(pub(super) [i64; N]);

impl<const N: usize> Token<N> {
    /// The token of this place in the answers to a query.
    pub(super) fn write(self, query: &str) -> String {
        let numbers = self.0.map(|number| format!("{number}."));
        URL_SAFE_NO_PAD.encode(format!("{}{}", numbers.concat(), sum(query)))
    }

    /// The place that a token of this query says.
    pub(super) fn read(token: &str, query: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let mut parts = text.split('.');
        let mut place = || parts.next()?.parse().ok().filter(|place: &i64| *place >= 0);
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = place()?;
        }
        (parts.next() == Some(sum(query).as_str()) && parts.next().is_none())
            .then_some(Self(numbers))
    }
}

fn sum(query: &str) -> String {
    hex::encode(&digest(&SHA256, query.as_bytes()).as_ref()[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_query_only() {
        let token = Token([7, 3]).write("a");
        assert_eq!(Token::read(&token, "a"), Some(Token([7, 3])));
        assert_eq!(Token::<2>::read(&token, "b"), None);
        assert_eq!(Token::<3>::read(&token, "a"), None);
        for damaged in ["", "x", &token[1..], &format!("{token}A")] {
            assert_eq!(Token::<2>::read(damaged, "a"), None);
        }
        assert_eq!(Token::<2>::read(&Token([-1, 0]).write("a"), "a"), None);
    }
}
