//! The scalars of XGBoost's documents, which its versions spell in many ways:
//! numbers as text, flags as numbers, and floats that JSON does not know.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A number that may be spelled as text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Single(pub f32);

/// A count that may be spelled as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count(pub u32);

/// Yes or no, or 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flag(pub bool);

/// One base score, or, since 3.1, a list of them in brackets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BaseScore(pub Vec<f32>);

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Scalar("a number"))
            .map(|value| Self(value as f32))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = from.deserialize_any(Scalar("a count"))?;
        if !(0.0..=f64::from(u32::MAX)).contains(&value) || value.fract() != 0.0 {
            return Err(de::Error::custom(format_args!("{value} is no count")));
        }
        Ok(Self(value as u32))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Scalar("a flag"))
            .map(|value| Self(value != 0.0))
    }
}

impl<'de> Deserialize<'de> for BaseScore {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let inner = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        let scores = inner.unwrap_or(&text).split(',').map(|score| {
            let score = score.trim();
            score
                .parse()
                .map_err(|_| de::Error::custom(format_args!("{score:?} is no base score")))
        });
        scores.collect::<Result<_, _>>().map(Self)
    }
}

struct Scalar(&'static str);

impl Visitor<'_> for Scalar {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<f64, E> {
        Ok(f64::from(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<f64, E> {
        let wrong = || E::custom(format_args!("{value:?} is not {}", self.0));
        value.parse().map_err(|_| wrong())
    }
}

/// XGBoost writes `NaN` and `Infinity` bare, which is no JSON. Puts them in
/// quotes, where [`Single`] reads them.
pub(super) fn quote_what_json_lacks(text: &[u8]) -> Cow<'_, [u8]> {
    const BARE: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut quoted = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    let mut in_text = false;
    while let Some(byte) = text.get(at) {
        let bare = BARE
            .iter()
            .find(|word| !in_text && text[at..].starts_with(word));
        if let Some(word) = bare {
            quoted.extend_from_slice(&text[copied..at]);
            quoted.push(b'"');
            quoted.extend_from_slice(word);
            quoted.push(b'"');
            at += word.len();
            copied = at;
            continue;
        }
        match byte {
            b'"' => in_text = !in_text,
            b'\\' if in_text => at += 1,
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    quoted.extend_from_slice(&text[copied..]);
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_however_they_are_spelled() {
        let text = br#"[1, "2.5E0", true, NaN, -Infinity, Infinity, -3.25]"#;
        let numbers: Vec<Single> = serde_json::from_slice(&quote_what_json_lacks(text)).unwrap();
        let numbers: Vec<f32> = numbers.iter().map(|number| number.0).collect();
        assert!(numbers[3].is_nan());
        assert_eq!(numbers[..3], [1.0, 2.5, 1.0]);
        assert_eq!(numbers[4..], [f32::NEG_INFINITY, f32::INFINITY, -3.25]);
    }

    #[test]
    fn text_that_holds_such_words_stays() {
        let cases = [r#"{"NaN":"a\"NaN"}"#, r#"["\\","Infinity"]"#, "[1]", ""];
        for text in cases {
            assert_eq!(&*quote_what_json_lacks(text.as_bytes()), text.as_bytes());
        }
        assert_eq!(
            &*quote_what_json_lacks(br#"["\\",NaN]"#),
            br#"["\\","NaN"]"#
        );
    }

    #[test]
    fn base_scores_come_alone_or_in_brackets() {
        let read = |text: &str| serde_json::from_str::<BaseScore>(text).map(|scores| scores.0);
        assert_eq!(read(r#""5E-1""#).unwrap(), [0.5]);
        assert_eq!(read(r#""[5E-1, -2]""#).unwrap(), [0.5, -2.0]);
        assert!(read(r#""[]""#).is_err());
        assert!(read(r#""half""#).is_err());
    }

    #[test]
    fn counts_are_whole() {
        let read = |text: &str| {
            serde_json::from_str::<Count>(text)
                .map(|count| count.0)
                .ok()
        };
        let cases = [
            (r#""7""#, Some(7)),
            ("7", Some(7)),
            ("-1", None),
            ("0.5", None),
            ("4294967296", None),
            (r#""NaN""#, None),
        ];
        for (text, count) in cases {
            assert_eq!(read(text), count, "{text}");
        }
    }
}
