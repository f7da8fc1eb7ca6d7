//! Names in archives: only such as lie within the directory that they are for.

use std::path::{Component, Path, PathBuf};

use super::{ArchiveError, Limits};

/// The most bytes that file systems take for one part of a path.
const LONGEST_PART: usize = 255;

/// The path that an entry of that name has below the directory; empty for the
/// directory itself.
pub(super) fn sound(name: &[u8], limits: &Limits) -> Result<PathBuf, ArchiveError> {
    let fail = |problem| {
        Err(ArchiveError::Name {
            path: shown(name),
            problem,
        })
    };
    if name.len() > limits.path {
        return fail("is too long");
    }
    let Ok(text) = std::str::from_utf8(name) else {
        return fail("is not UTF-8");
    };
    if text.is_empty() || text.chars().any(char::is_control) {
        return fail("is empty or has control characters");
    }
    let mut path = PathBuf::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(part) if part.len() > LONGEST_PART => return fail("is too long"),
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir => return fail("leads out of the archive"),
            Component::RootDir | Component::Prefix(_) => return fail("is not relative"),
        }
    }
    if path.components().count() > limits.depth {
        return fail("is nested too deep");
    }
    Ok(path)
}

/// A name as messages show it: short, and harmless.
pub(super) fn shown(name: &[u8]) -> String {
    const SHOWN: usize = 80;
    let text = String::from_utf8_lossy(name);
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_names_within_are_sound() {
        let deep = "a/".repeat(17);
        let long = "a".repeat(256);
        let longer = "a/".repeat(1000);
        for (name, expected) in [
            ("model.onnx", Ok("model.onnx")),
            ("./model/1/x.pb", Ok("model/1/x.pb")),
            ("./", Ok("")),
            ("a//b/", Ok("a/b")),
            ("", Err("The name '' is empty or has control characters")),
            (
                "a\nb",
                Err("The name 'a?b' is empty or has control characters"),
            ),
            ("/etc/passwd", Err("The name '/etc/passwd' is not relative")),
            (
                "a/../../b",
                Err("The name 'a/../../b' leads out of the archive"),
            ),
            ("..", Err("The name '..' leads out of the archive")),
            (&deep, Err("is nested too deep")),
            (&long, Err("is too long")),
            (&longer, Err("is too long")),
        ] {
            match (sound(name.as_bytes(), &Limits::default()), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, Path::new(expected)),
                (Err(found), Err(expected)) => {
                    assert!(found.to_string().ends_with(expected), "{found}");
                }
                (found, _) => panic!("{name:?}: {found:?}"),
            }
        }
        assert!(sound(b"\xff", &Limits::default()).is_err());
    }

    proptest! {
        #[test]
        fn sound_names_stay_within(name in "[./a-z]{1,24}") {
            if let Ok(path) = sound(name.as_bytes(), &Limits::default()) {
                let normal = |part| matches!(part, Component::Normal(_));
                prop_assert!(path.components().all(normal));
            }
        }
    }
}
