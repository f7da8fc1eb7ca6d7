//! Paths as archives write them, made harmless.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::super::ImageError;

/// The longest path that an entry may have.
const LONGEST: usize = 4096;
/// The deepest directory that an entry may be in.
const DEEPEST: usize = 256;

/// The path of an entry relative to the root, without `.`; empty for the root
/// itself. A leading `/` means the root, as `tar` takes it.
///
/// # Errors
/// When the path climbs with `..`, holds a zero byte, or is absurdly long.
pub fn inside(raw: &[u8]) -> Result<PathBuf, ImageError> {
    let refuse = |why: &str| {
        let shown = String::from_utf8_lossy(&raw[..raw.len().min(200)]).into_owned();
        Err(ImageError::Hostile(format!("the path {shown:?} {why}")))
    };
    if raw.len() > LONGEST {
        return refuse("is too long");
    }
    if raw.contains(&0) {
        return refuse("holds a zero byte");
    }
    let names = raw
        .split(|byte| *byte == b'/')
        .filter(|name| !matches!(name, [] | [b'.']));
    let mut path = PathBuf::new();
    for (depth, name) in names.enumerate() {
        if name == b".." {
            return refuse("climbs out of its directory");
        }
        if depth >= DEEPEST {
            return refuse("is too deep");
        }
        path.push(OsStr::from_bytes(name));
    }
    Ok(path)
}

/// What an entry's name says about the layers below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing: it is an entry.
    Entry,
    /// That this path of the layers below is gone.
    Removed(PathBuf),
    /// That all that the layers below have in this directory is gone.
    Emptied(PathBuf),
}

/// The meaning of a path that [`inside`] gave.
///
/// # Errors
/// When it marks nothing that can be removed.
pub fn meaning(path: &Path) -> Result<Meaning, ImageError> {
    const MARK: &[u8] = b".wh.";
    let parent = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().as_bytes();
    match name.strip_prefix(MARK) {
        None => Ok(Meaning::Entry),
        Some(b".wh..opq") => Ok(Meaning::Emptied(parent.to_owned())),
        Some(b"" | b"." | b"..") => Err(ImageError::Hostile(format!(
            "{} removes nothing that can be",
            path.display()
        ))),
        Some(removed) => Ok(Meaning::Removed(parent.join(OsStr::from_bytes(removed)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    #[test]
    fn paths_are_taken_relative_to_the_root() {
        let cases = [
            ("./a/b", "a/b"),
            ("/etc/x", "etc/x"),
            ("a//b/./c/", "a/b/c"),
            ("./", ""),
            ("..a", "..a"),
        ];
        for (raw, expected) in cases {
            assert_eq!(
                inside(raw.as_bytes()).unwrap(),
                Path::new(expected),
                "{raw}"
            );
        }
        for raw in ["..", "../x", "a/../../x", "/..", "a/.."] {
            assert!(inside(raw.as_bytes()).is_err(), "{raw}");
        }
        assert!(inside(b"a\0b").is_err());
        assert!(inside("x/".repeat(300).as_bytes()).is_err());
    }

    #[test]
    fn marks_name_what_they_remove() {
        let cases = [
            ("a/b", Meaning::Entry),
            ("a/.wh.b", Meaning::Removed("a/b".into())),
            (".wh.b", Meaning::Removed("b".into())),
            ("a/.wh..wh..opq", Meaning::Emptied("a".into())),
            (".wh..wh..opq", Meaning::Emptied("".into())),
        ];
        for (path, expected) in cases {
            assert_eq!(meaning(Path::new(path)).unwrap(), expected, "{path}");
        }
        for path in ["a/.wh.", "a/.wh..", "a/.wh..."] {
            assert!(meaning(Path::new(path)).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leaves_the_root(raw in prop::collection::vec(prop_oneof![
            Just(b'/'), Just(b'.'), Just(b'a'), any::<u8>()], 0..64)) {
            if let Ok(path) = inside(&raw) {
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                if let Ok(Meaning::Removed(gone) | Meaning::Emptied(gone)) = meaning(&path) {
                    prop_assert!(gone.components().all(|part| matches!(part, Component::Normal(_))));
                }
            }
        }
    }
}
