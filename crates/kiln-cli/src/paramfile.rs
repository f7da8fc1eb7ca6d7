//! Parameters that name the file that holds their value: `file://request.json`.

use std::path::PathBuf;
use std::{env, fs};

/// What the file holds that a value names; none if it names no file.
///
/// # Errors
/// When the file cannot be read, in the AWS CLI's words.
pub(crate) fn load(value: &str) -> Result<Option<String>, String> {
    let named = ["file://", "fileb://"]
        .into_iter()
        .find_map(|prefix| value.strip_prefix(prefix));
    let Some(path) = named.map(expanded) else {
        return Ok(None);
    };
    let bytes = fs::read(&path).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        let number = error.raw_os_error().unwrap_or_default();
        let path = crate::python::quoted(&path.to_string_lossy());
        format!("Unable to load paramfile {value}: [Errno {number}] {reason}: {path}")
    })?;
    String::from_utf8(bytes).map(Some).map_err(|_| {
        format!(
            "Unable to load paramfile ({}), text contents could not be decoded.  If this is a \
             binary file, please use the fileb:// prefix instead of the file:// prefix.",
            path.display()
        )
    })
}

/// The path with `~` and `$VARIABLES` replaced.
pub(crate) fn expanded(path: &str) -> PathBuf {
    let home = env::var("HOME").unwrap_or_default();
    let path = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        _ => path.to_owned(),
    };
    PathBuf::from(with_variables(&path, |name| env::var(name).ok()))
}

/// Replaces `$NAME` and `${NAME}`; what is not set stays as it is.
fn with_variables(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, length) = match after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
        {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let end = after.find(|letter| !is_name(letter)).unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match value(name).filter(|_| !name.is_empty()) {
            Some(value) => out.push_str(&value),
            None => {
                out.push('$');
                out.push_str(&after[..length]);
            }
        }
        rest = &after[length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_if_they_are_set() {
        let value = |name: &str| (name == "A_1").then(|| "x".to_owned());
        for (text, expected) in [
            ("$A_1/b", "x/b"),
            ("${A_1}b", "xb"),
            ("$B/$A_1", "$B/x"),
            ("a$", "a$"),
            ("${", "${"),
        ] {
            assert_eq!(with_variables(text, value), expected);
        }
    }

    #[test]
    fn only_files_are_loaded() {
        assert_eq!(load("plain"), Ok(None));
        assert_eq!(
            load("file:///no/such").unwrap_err(),
            "Unable to load paramfile file:///no/such: [Errno 2] No such file or directory: '/no/such'"
        );
    }
}
