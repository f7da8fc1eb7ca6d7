//! A manifest: a JSON list of a common prefix and the paths below it.
//!
//! `[{"prefix": "s3://bucket/some/"}, "a.csv", "b/c.csv"]`. The prefix comes
//! first and is required, because every path needs it. The list is read item by
//! item, so that a million of them take no more memory than one, and what is
//! wrong is said with its line and column.

use std::cell::Cell;
use std::io::{BufReader, Read};

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

/// The longest item; no key is longer than a kilobyte.
const LONGEST_ITEM: u64 = 1 << 20;

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It could not be read to its end.
    #[error("the manifest could not be read: {0}")]
    Read(std::io::Error),
    /// It is not JSON, or not a list of one prefix and paths.
    #[error("the manifest must be a list of {{\"prefix\": \"s3://…\"}} and paths: {0}")]
    Malformed(serde_json::Error),
    /// The prefix is there, and nothing else.
    #[error("the manifest names no object after its prefix")]
    NoObjects,
    /// What it lists could not be kept.
    #[error("what the manifest lists could not be kept: {0}")]
    Keep(std::io::Error),
}

/// What a manifest holds, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestItem {
    /// The beginning of every object's URI; always the first item, and only that.
    Prefix(String),
    /// One object: what follows the prefix in its URI.
    Relative(String),
}

/// Reads a manifest and hands each item to `each` as it comes.
///
/// # Errors
/// When the manifest is malformed or lists no object, and what `each` fails
/// with, which ends the reading.
pub fn read(
    reader: impl Read,
    mut each: impl FnMut(ManifestItem) -> Result<(), ManifestError>,
) -> Result<(), ManifestError> {
    let mut refusal = None;
    let mut objects = 0_u64;
    let left = Cell::new(LONGEST_ITEM);
    // The parser carries only its own errors through, so another is set aside.
    let mut take = |item: ManifestItem| {
        objects += u64::from(matches!(item, ManifestItem::Relative(_)));
        left.set(LONGEST_ITEM);
        each(item).map_err(|error| {
            refusal = Some(error);
            "the item could not be taken"
        })
    };
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(Bounded {
        reader,
        left: &left,
    }));
    let outcome = json
        .deserialize_seq(ListVisitor(&mut take))
        .and_then(|()| json.end());
    match (refusal, outcome) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(error)) if error.is_io() => Err(ManifestError::Read(error.into())),
        (None, Err(error)) => Err(ManifestError::Malformed(error)),
        (None, Ok(())) if objects == 0 => Err(ManifestError::NoObjects),
        (None, Ok(())) => Ok(()),
    }
}

/// A reader that ends a list whose next item has no end: one item is in memory
/// as a whole.
struct Bounded<'a, R> {
    reader: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        self.left.set(left.ok_or_else(|| {
            std::io::Error::other(format!("an item is longer than {LONGEST_ITEM} bytes"))
        })?);
        Ok(read)
    }
}

struct ListVisitor<'a, F>(&'a mut F);

impl<'de, F> Visitor<'de> for ListVisitor<'_, F>
where
    F: FnMut(ManifestItem) -> Result<(), &'static str>,
{
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list that begins with the prefix")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let prefix = list
            .next_element_seed(Prefix)?
            .ok_or_else(|| A::Error::custom("the list is empty"))?;
        (self.0)(ManifestItem::Prefix(prefix)).map_err(A::Error::custom)?;
        while let Some(path) = list.next_element_seed(Relative)? {
            (self.0)(ManifestItem::Relative(path)).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// The first item: an object with the one member `prefix`.
struct Prefix;

impl<'de> DeserializeSeed<'de> for Prefix {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, item: D) -> Result<String, D::Error> {
        item.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Prefix {
    type Value = String;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("{\"prefix\": \"s3://…\"} as the first item")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut item: A) -> Result<String, A::Error> {
        let mut prefix = None;
        while let Some(name) = item.next_key::<String>()? {
            if name != "prefix" || prefix.is_some() {
                let message = format!("the first item has an unexpected member {name:?}");
                return Err(A::Error::custom(message));
            }
            prefix = Some(item.next_value::<String>()?);
        }
        let prefix = prefix.ok_or_else(|| A::Error::missing_field("prefix"))?;
        match prefix.strip_prefix("s3://") {
            Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(prefix),
            _ => Err(A::Error::custom(format!(
                "the prefix {prefix:?} is not an S3 URI"
            ))),
        }
    }
}

/// Every other item: a string.
struct Relative;

impl<'de> DeserializeSeed<'de> for Relative {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, item: D) -> Result<String, D::Error> {
        item.deserialize_string(self)
    }
}

impl Visitor<'_> for Relative {
    type Value = String;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a path that follows the prefix, as a string")
    }

    fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<String, E> {
        self.visit_string(path.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, path: String) -> Result<String, E> {
        match path.is_empty() {
            true => Err(E::custom("a path is empty")),
            false => Ok(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(text: &str) -> Result<Vec<ManifestItem>, ManifestError> {
        let mut items = Vec::new();
        read(text.as_bytes(), |item| {
            items.push(item);
            Ok(())
        })?;
        Ok(items)
    }

    #[test]
    fn the_prefix_comes_first_and_then_the_paths() {
        let text = r#" [ {"prefix": "s3://b/p/"}, "a.csv",
            "d/\u00e9 \"x\".csv" ] "#;
        let expected = [
            ManifestItem::Prefix("s3://b/p/".to_owned()),
            ManifestItem::Relative("a.csv".to_owned()),
            ManifestItem::Relative("d/é \"x\".csv".to_owned()),
        ];
        assert_eq!(items(text).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let cases = [
            ("[]", "the list is empty"),
            ("{}", "expected a list"),
            ("", "EOF while parsing"),
            (
                r#"["a"]"#,
                "expected {\"prefix\": \"s3://…\"} as the first item",
            ),
            (r#"[{}]"#, "missing field `prefix`"),
            (
                r#"[{"prefix": "s3://b/", "x": 1}, "a"]"#,
                "unexpected member \"x\"",
            ),
            (
                r#"[{"prefix": "/tmp/"}, "a"]"#,
                "\"/tmp/\" is not an S3 URI",
            ),
            (r#"[{"prefix": "s3:///p"}, "a"]"#, "is not an S3 URI"),
            (r#"[{"prefix": "s3://b/"}]"#, "names no object"),
            (
                "[{\"prefix\": \"s3://b/\"},\n 7]",
                "integer `7`, expected a path that follows the \
                prefix, as a string at line 2",
            ),
            (r#"[{"prefix": "s3://b/"}, ""]"#, "a path is empty"),
            (r#"[{"prefix": "s3://b/"}, "a"] x"#, "trailing characters"),
            (r#"[{"prefix": "s3://b/"}, "a""#, "EOF while parsing"),
        ];
        for (text, expected) in cases {
            let error = items(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_the_taker_fails_with_ends_the_reading() {
        let mut taken = 0;
        let error = read(&br#"[{"prefix": "s3://b/"}, "a", "b"]"#[..], |_| {
            taken += 1;
            match taken {
                2 => Err(ManifestError::Keep(std::io::ErrorKind::StorageFull.into())),
                _ => Ok(()),
            }
        });
        assert!(matches!(error, Err(ManifestError::Keep(_))), "{error:?}");
        assert_eq!(taken, 2);
    }

    #[test]
    fn an_item_without_end_is_refused() {
        let begun = &br#"[{"prefix": "s3://b/"}, "#[..];
        let paths = r#""path", "#.repeat(LONGEST_ITEM as usize / 4);
        let end = &br#""last"]"#[..];
        assert!(read(begun.chain(paths.as_bytes()).chain(end), |_| Ok(())).is_ok());
        for endless in [b' ', b'"'] {
            let first = [endless];
            let endless = begun.chain(&first[..]).chain(std::io::repeat(b' '));
            let error = read(endless, |_| Ok(())).unwrap_err();
            assert!(matches!(error, ManifestError::Read(_)), "{error}");
        }
    }

    #[test]
    fn a_reader_that_breaks_is_not_taken_for_bad_json() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::ConnectionReset.into())
            }
        }
        let error = read(Broken, |_| Ok(()));
        assert!(matches!(error, Err(ManifestError::Read(_))), "{error:?}");
    }

    proptest! {
        #[test]
        fn every_list_of_paths_comes_back(paths in prop::collection::vec(".{1,12}", 1..20)) {
            let mut list = vec![serde_json::json!({"prefix": "s3://b/p"})];
            list.extend(paths.iter().map(|path| serde_json::json!(path)));
            let read = items(&serde_json::to_string(&list).unwrap()).unwrap();
            let expected: Vec<_> = paths.into_iter().map(ManifestItem::Relative).collect();
            prop_assert_eq!(&read[1..], expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes[..], |_| Ok(()));
        }
    }
}
