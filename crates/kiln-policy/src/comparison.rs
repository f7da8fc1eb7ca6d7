//! Numbers, dates and addresses as policies and requests write them.

use std::cmp::Ordering;
use std::net::IpAddr;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::operator::Order;

impl Order {
    /// Whether this is how one thing stands to another.
    pub(crate) fn holds(self, found: Option<Ordering>) -> bool {
        found.is_some_and(|found| match self {
            Self::Equal => found.is_eq(),
            Self::Less => found.is_lt(),
            Self::LessOrEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterOrEqual => found.is_ge(),
        })
    }
}

/// A decimal number.
pub(crate) fn number(text: &str) -> Option<f64> {
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let number: f64 = text.chars().all(digits).then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

/// A date of ISO 8601, with or without its time of day, or seconds since 1970.
pub(crate) fn date(text: &str) -> Option<OffsetDateTime> {
    if let Some(seconds) = number(text) {
        let since = Duration::checked_seconds_f64(seconds)?;
        return OffsetDateTime::UNIX_EPOCH.checked_add(since);
    }
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        17 if text.ends_with('Z') => format!("{}:00Z", &text[..16]),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    };
    OffsetDateTime::parse(&whole, &Rfc3339).ok()
}

/// A yes or no.
pub(crate) fn truth(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    lower.parse().ok()
}

/// A range of addresses: one, or those that share their first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    base: IpAddr,
    bits: u32,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { base, bits })
    }

    pub(crate) fn holds(self, address: IpAddr) -> bool {
        let shared = match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(one)) => (base.to_bits() ^ one.to_bits()).leading_zeros(),
            (IpAddr::V6(base), IpAddr::V6(one)) => (base.to_bits() ^ one.to_bits()).leading_zeros(),
            _ => return false,
        };
        shared >= self.bits
    }
}
