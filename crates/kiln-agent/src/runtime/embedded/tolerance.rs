//! What a person allows a machine to lack: without that, a container is refused
//! where the kernel cannot hold it as promised.

use serde::{Deserialize, Serialize};

/// Something that contains a job and that not every kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safeguard {
    /// Limits of memory, processors and processes, by control groups.
    Limits,
    /// The filter of system calls.
    Filter,
}

impl Safeguard {
    /// The setting that lets jobs run without it.
    #[must_use]
    pub fn setting(self) -> &'static str {
        match self {
            Self::Limits => "run_unlimited",
            Self::Filter => "run_unfiltered",
        }
    }
}

/// The safeguards that jobs may run without. None, unless a person says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tolerance {
    /// Jobs run without the limits that this machine cannot enforce.
    pub unlimited: bool,
    /// Jobs run unfiltered where the kernel cannot filter system calls.
    pub unfiltered: bool,
}

impl Tolerance {
    /// Whether jobs may run without this.
    #[must_use]
    pub fn allows(self, lacking: Safeguard) -> bool {
        match lacking {
            Safeguard::Limits => self.unlimited,
            Safeguard::Filter => self.unfiltered,
        }
    }

    /// Lets a container pass that lacks something, if that is allowed.
    ///
    /// # Errors
    /// Why it is not run, with the setting that would allow it. `why` says in
    /// the words of a clause what this machine cannot do.
    pub fn pass(self, lacking: Safeguard, why: &str) -> Result<(), String> {
        if self.allows(lacking) {
            return Ok(());
        }
        Err(format!(
            "{why}; set {} = true in kiln.toml to run jobs all the same",
            lacking.setting()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_safeguard_has_a_setting_of_its_own() {
        let unlimited = Tolerance {
            unlimited: true,
            unfiltered: false,
        };
        let unfiltered = Tolerance {
            unlimited: false,
            unfiltered: true,
        };
        let cases = [
            (
                Tolerance::default(),
                Safeguard::Limits,
                Some("run_unlimited"),
            ),
            (
                Tolerance::default(),
                Safeguard::Filter,
                Some("run_unfiltered"),
            ),
            (unlimited, Safeguard::Limits, None),
            (unlimited, Safeguard::Filter, Some("run_unfiltered")),
            (unfiltered, Safeguard::Limits, Some("run_unlimited")),
            (unfiltered, Safeguard::Filter, None),
        ];
        for (tolerance, lacking, named) in cases {
            let refused = tolerance.pass(lacking, "the kernel cannot").err();
            assert_eq!(refused.is_some(), named.is_some(), "{tolerance:?}");
            if let (Some(reason), Some(setting)) = (refused, named) {
                assert!(reason.starts_with("the kernel cannot; "), "{reason}");
                assert!(reason.contains(&format!("{setting} = true")), "{reason}");
            }
        }
    }
}
