//! Listing: the keys of a bucket in order, rolled up at a delimiter, in pages.
//!
//! A page costs as many index look-ups as it has common prefixes, and as many
//! steps as it has entries: what lies under a common prefix is jumped over.

use rusqlite::{Connection, params};

use super::{Object, ObjectIndex, Result, buckets, object_of};

/// From a key on, in order: a range of the primary key, so that the cost of a
/// page does not depend on how many keys there are.
pub(super) const RANGE: &str = "SELECT key, body, size, etag, modified_ms, details FROM objects
     WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key";

/// Which keys to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that contain this after the prefix are rolled up behind its first occurrence.
    pub delimiter: Option<String>,
    /// Only entries behind this one: a key, or a common prefix with all it holds.
    pub after: Option<String>,
    /// The most entries to return.
    pub limit: usize,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Objects and common prefixes, in the order of their keys.
    pub entries: Vec<Listed>,
    /// Whether there are entries behind these.
    pub truncated: bool,
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// An object with its key.
    Object(String, Box<Object>),
    /// The common beginning of several keys, with the delimiter at its end.
    CommonPrefix(String),
}

impl Listed {
    /// The key or the common prefix: what the next page lists `after`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Object(name, _) | Self::CommonPrefix(name) => name,
        }
    }
}

impl ListQuery {
    /// The delimiter, unless it is empty and so delimits nothing.
    fn delimiter(&self) -> Option<&str> {
        self.delimiter.as_deref().filter(|text| !text.is_empty())
    }

    /// The common prefix under which `key` is rolled up, if it is.
    pub(super) fn roll_up<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let delimiter = self.delimiter()?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        Some(&key[..end])
    }

    /// The least key that the page may hold.
    pub(super) fn lower_bound(&self) -> Vec<u8> {
        let prefix = self.prefix.as_bytes().to_vec();
        let Some(after) = &self.after else {
            return prefix;
        };
        let behind = match self.roll_up(after) {
            Some(common) if common.len() == after.len() => behind_prefix(after),
            _ => behind_key(after),
        };
        behind.max(prefix)
    }
}

impl ObjectIndex {
    /// One page of the bucket's keys.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a failure of the database.
    pub fn list(&self, bucket: &str, query: &ListQuery) -> Result<Listing> {
        self.database.read(|connection| {
            buckets::require(connection, bucket)?;
            page(connection, bucket, query)
        })
    }

    /// The first of the bucket's keys that start with `prefix`.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a failure of the database.
    pub fn first_under(&self, bucket: &str, prefix: &str) -> Result<Option<String>> {
        let query = ListQuery {
            prefix: prefix.to_owned(),
            limit: 1,
            ..ListQuery::default()
        };
        let mut entries = self.list(bucket, &query)?.entries.into_iter();
        Ok(entries.find_map(|entry| match entry {
            Listed::Object(key, _) => Some(key),
            Listed::CommonPrefix(_) => None,
        }))
    }
}

fn page(connection: &Connection, bucket: &str, query: &ListQuery) -> Result<Listing> {
    let mut listing = Listing::default();
    let mut next = (query.limit > 0).then(|| query.lower_bound());
    while let Some(from) = next {
        next = extend(connection, bucket, query, &from, &mut listing)?;
    }
    Ok(listing)
}

/// Adds the entries from `from` on, up to and including the first common
/// prefix; returns where to go on, or `None` when the page is complete.
fn extend(
    connection: &Connection,
    bucket: &str,
    query: &ListQuery,
    from: &[u8],
    listing: &mut Listing,
) -> Result<Option<Vec<u8>>> {
    let mut select = connection.prepare_cached(RANGE)?;
    let end = behind_prefix(&query.prefix);
    let mut rows = select.query(params![bucket, from, end])?;
    while let Some(row) = rows.next()? {
        if listing.entries.len() == query.limit {
            listing.truncated = true;
            return Ok(None);
        }
        let key = key_of(row.get(0)?);
        if let Some(common) = query.roll_up(&key) {
            let behind = behind_prefix(common);
            listing
                .entries
                .push(Listed::CommonPrefix(common.to_owned()));
            return Ok(Some(behind));
        }
        let object = Box::new(object_of(row, 1)?);
        listing.entries.push(Listed::Object(key, object));
    }
    Ok(None)
}

/// Keys enter as `str`; damage that makes one unreadable shows as `U+FFFD`.
pub(super) fn key_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The least byte string behind every key that starts with `prefix`.
///
/// UTF-8 has no byte above 0xF4, so the last byte can always be raised.
pub(super) fn behind_prefix(prefix: &str) -> Vec<u8> {
    let mut bound = prefix.as_bytes().to_vec();
    match bound.last_mut() {
        Some(last) => *last += 1,
        None => bound.push(0xFF),
    }
    bound
}

/// The least byte string behind `key`.
fn behind_key(key: &str) -> Vec<u8> {
    let mut bound = key.as_bytes().to_vec();
    bound.push(0);
    bound
}
