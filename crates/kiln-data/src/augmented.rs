//! One line of an augmented manifest: a JSON object of values and objects.
//!
//! A channel names attributes, and every line gives a piece for each, in the
//! channel's order and not the line's. An attribute whose name ends in `-ref`
//! holds the URI of an object, whose bytes are the piece. Any other gives its
//! value as text: a string its characters, without quotes or escapes; everything
//! else its JSON exactly as it is written in the line, so that `1.0` stays `1.0`.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::catalogue::Piece;

/// Why a line cannot be used. The sentence goes on where the caller said which
/// line of which manifest it is.
#[derive(Debug, thiserror::Error)]
pub enum AugmentedError {
    /// It is not JSON, or not an object.
    #[error("it is not a JSON object: {0}")]
    NotAnObject(serde_json::Error),
    /// It is not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// It is longer than a line may be, and may be without end.
    #[error("it is longer than {0} bytes")]
    TooLong(u64),
    /// The channel names an attribute that the line lacks.
    #[error("it has no attribute \"{0}\", which the channel's AttributeNames ask for")]
    Missing(String),
    /// An attribute that names an object does not.
    #[error("its attribute \"{attribute}\" must be the S3 URI of an object and is {value}")]
    NotAnObjectUri {
        /// The attribute.
        attribute: String,
        /// Its value, as JSON.
        value: String,
    },
}

/// The pieces that a line gives for these attributes, in their order.
///
/// # Errors
/// When the line is not a JSON object, lacks an attribute, or has a `-ref`
/// attribute that is no S3 URI.
pub fn parse_line(line: &str, attributes: &[String]) -> Result<Vec<Piece>, AugmentedError> {
    let values: HashMap<String, &RawValue> =
        serde_json::from_str(line).map_err(AugmentedError::NotAnObject)?;
    let piece = |attribute: &String| {
        let value = values
            .get(attribute)
            .ok_or_else(|| AugmentedError::Missing(attribute.clone()))?;
        match attribute.ends_with("-ref") {
            true => object(attribute, value.get()),
            false => Ok(Piece::Text(text(value.get()))),
        }
    };
    attributes.iter().map(piece).collect()
}

fn object(attribute: &str, json: &str) -> Result<Piece, AugmentedError> {
    let uri: Option<String> = serde_json::from_str(json).ok();
    let parts = uri.as_deref().and_then(bucket_and_key);
    let (bucket, key) = parts.ok_or_else(|| AugmentedError::NotAnObjectUri {
        attribute: attribute.to_owned(),
        value: json.to_owned(),
    })?;
    Ok(Piece::Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    })
}

fn bucket_and_key(uri: &str) -> Option<(&str, &str)> {
    let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

fn text(json: &str) -> String {
    // Only a string's JSON can be read as one.
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(line: &str, attributes: &[&str]) -> Result<Vec<Piece>, AugmentedError> {
        let attributes: Vec<_> = attributes.iter().map(ToString::to_string).collect();
        parse_line(line, &attributes)
    }

    fn texts(line: &str, attributes: &[&str]) -> Vec<String> {
        let text = |piece| match piece {
            Piece::Text(text) => text,
            Piece::Object { bucket, key } => format!("<{bucket} {key}>"),
        };
        let pieces = pieces(line, attributes).unwrap();
        pieces.into_iter().map(text).collect()
    }

    #[test]
    fn attributes_come_in_the_channels_order() {
        let line = r#"{"label": 1, "more-ref": "s3://b/a//b", "image-ref": "s3://b/i/1.jpg"}"#;
        assert_eq!(
            texts(line, &["image-ref", "label", "more-ref"]),
            ["<b i/1.jpg>", "1", "<b a//b>"]
        );
    }

    #[test]
    fn values_give_their_text() {
        let cases = [
            (r#""say \"é\\n\" \u00e9""#, "say \"é\\n\" é"),
            (r#""""#, ""),
            ("1.0", "1.0"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("true", "true"),
            ("null", "null"),
            (r#"[1,  "x"]"#, r#"[1,  "x"]"#),
            (r#"{"b": 1, "a": {"c": []}}"#, r#"{"b": 1, "a": {"c": []}}"#),
        ];
        for (value, expected) in cases {
            assert_eq!(texts(&format!(r#"{{"v":{value}}}"#), &["v"]), [expected]);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("", "v", "it is not a JSON object"),
            ("[]", "v", "it is not a JSON object"),
            ("{} {}", "v", "it is not a JSON object"),
            (r#"{"w": 1}"#, "v", "it has no attribute \"v\""),
            (
                r#"{"v-ref": 7}"#,
                "v-ref",
                "must be the S3 URI of an object and is 7",
            ),
            (r#"{"v-ref": "s3://b"}"#, "v-ref", "and is \"s3://b\""),
            (r#"{"v-ref": "s3://b/"}"#, "v-ref", "must be the S3 URI"),
            (r#"{"v-ref": "/tmp/x"}"#, "v-ref", "must be the S3 URI"),
        ];
        for (line, attribute, expected) in cases {
            let error = pieces(line, &[attribute]).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_string_comes_back_as_it_was(name in ".{0,8}x", value in ".{0,40}") {
            let line = serde_json::json!({ name.clone(): value.clone() }).to_string();
            prop_assert_eq!(texts(&line, &[&name]), [value]);
        }

        #[test]
        fn no_line_makes_it_panic(line in ".{0,80}") {
            let _ = pieces(&line, &["v", "v-ref"]);
        }
    }
}
