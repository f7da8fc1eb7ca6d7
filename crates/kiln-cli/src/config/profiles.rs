//! The files in `~/.aws`: sections of settings, some of which have settings of
//! their own.

use std::collections::BTreeMap;
use std::fs;

use super::variable;
use crate::failure::Failure;
use crate::paramfile::expanded;

/// The settings of a section. One below another has both names: `sagemaker.endpoint_url`.
pub(super) type Section = BTreeMap<String, String>;

/// The profile that is used, and the services that it may mention.
#[derive(Debug, Default)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) config: Section,
    pub(super) credentials: Section,
    /// The section of services that the profile names.
    pub(super) services: Section,
}

impl Profile {
    /// The profile with a name, or the one that the environment names, or the default.
    pub(super) fn load(named: Option<&str>) -> Result<Self, Failure> {
        let from_environment =
            || variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE"));
        let named = named.map(str::to_owned).or_else(from_environment);
        let mut config = read("AWS_CONFIG_FILE", "~/.aws/config")?;
        let mut credentials = read("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")?;
        let name = named.as_deref().unwrap_or("default");
        let plain = config.remove(name).filter(|_| name == "default");
        let in_config = config.remove(&format!("profile {name}")).or(plain);
        let in_credentials = credentials.remove(name);
        if named.is_some() && in_config.is_none() && in_credentials.is_none() {
            return Err(Failure::General(format!(
                "The config profile ({name}) could not be found"
            )));
        }
        let settings = in_config.unwrap_or_default();
        let services = settings
            .get("services")
            .and_then(|name| config.remove(&format!("services {name}")));
        Ok(Self {
            name: name.to_owned(),
            services: services.unwrap_or_default(),
            config: settings,
            credentials: in_credentials.unwrap_or_default(),
        })
    }

    /// A setting, of either file.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        let found = self.credentials.get(name).or_else(|| self.config.get(name));
        found.map(String::as_str).filter(|value| !value.is_empty())
    }
}

fn read(variable_name: &str, usual: &str) -> Result<BTreeMap<String, Section>, Failure> {
    let path = expanded(&variable(variable_name).unwrap_or_else(|| usual.to_owned()));
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(BTreeMap::new());
    };
    sections(&text).ok_or_else(|| {
        let path = path.display();
        Failure::General(format!("Unable to parse config file: {path}"))
    })
}

/// Reads the sections of a file; none if it has not their form.
fn sections(text: &str) -> Option<BTreeMap<String, Section>> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let (mut section, mut above) = (None, String::new());
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[') {
            let name = section_name(name.strip_suffix(']')?);
            sections.entry(name.clone()).or_default();
            section = Some(name);
            continue;
        }
        let (name, value) = trimmed.split_once(['=', ':'])?;
        let (name, value) = (name.trim().to_lowercase(), value.trim().to_owned());
        let settings = sections.get_mut(section.as_ref()?)?;
        if line.starts_with([' ', '\t']) && !above.is_empty() {
            settings.insert(format!("{above}.{name}"), value);
        } else {
            above.clone_from(&name);
            settings.insert(name, value);
        }
    }
    Some(sections)
}

/// A section's name with single spaces and no quotes.
fn section_name(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(['"', '\''], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_hold_settings_and_settings_below_them() {
        let text = "# c\n[default]\nregion = us-east-1\n\n[profile  \"a b\"]\nservices = s\n\
                    [services s]\nsagemaker =\n  endpoint_url = http://x:1/\n  other = y\nlast=1\n";
        let found = sections(text).unwrap();
        assert_eq!(found["default"]["region"], "us-east-1");
        assert_eq!(found["profile a b"]["services"], "s");
        assert_eq!(found["services s"]["sagemaker.endpoint_url"], "http://x:1/");
        assert_eq!(found["services s"]["last"], "1");
        assert_eq!(sections("a = b\n"), None);
        assert_eq!(sections("[a\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[\\[\\]a-c =:#;\n\t]{0,40}") {
            let _ = sections(&text);
        }
    }
}
