//! Carries the user's own package index settings from pip over to uv, which
//! does not read pip's configuration.

/// Settings of pip and the variable by which uv takes the same.
const SAME: [(&str, &str); 3] = [
    ("index-url", "UV_DEFAULT_INDEX"),
    ("extra-index-url", "UV_INDEX"),
    ("cert", "SSL_CERT_FILE"),
];

/// The variables to set for uv, from what `pip config list` prints. Whatever is
/// `already` in the environment stays as it is.
pub(super) fn settings(
    pip_config: &str,
    already: impl Fn(&str) -> bool,
) -> Vec<(&'static str, String)> {
    SAME.into_iter()
        .filter(|(_, variable)| !already(variable))
        .filter_map(|(key, variable)| Some((variable, value(pip_config, key)?)))
        .collect()
}

/// The value of one setting, the environment's before the files'.
fn value(pip_config: &str, key: &str) -> Option<String> {
    let find = |scope: &str| {
        pip_config.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            let (found, setting) = name.rsplit_once('.')?;
            (found == scope && setting == key).then(|| unquote(value))
        })
    };
    find(":env:")
        .or_else(|| find("install"))
        .or_else(|| find("global"))
        .filter(|value| !value.is_empty())
}

/// pip prints values as Python does; several lines are several values.
fn unquote(value: &str) -> String {
    let bare = value.trim().trim_matches(['\'', '"']);
    bare.split("\\n")
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pips_settings_become_uvs() {
        let config = "\
:env:.cert='/etc/ours.pem'
global.cert='/etc/theirs.pem'
global.disable-pip-version-check='1'
global.extra-index-url='\\nhttps://one.example/simple\\nhttps://two.example/simple'
global.index-url='https://mirror.example/simple?a=b'
";
        let none = |_: &str| false;
        assert_eq!(
            settings(config, none),
            [
                (
                    "UV_DEFAULT_INDEX",
                    "https://mirror.example/simple?a=b".to_owned()
                ),
                (
                    "UV_INDEX",
                    "https://one.example/simple https://two.example/simple".to_owned()
                ),
                ("SSL_CERT_FILE", "/etc/ours.pem".to_owned()),
            ]
        );
        assert_eq!(settings("", none), []);
        assert_eq!(settings(config, |name| name != "SSL_CERT_FILE").len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn any_output_of_pip_is_read_without_panic(text in ".*") {
            let _ = settings(&text, |_| false);
        }
    }
}
