//! What this machine refuses to the embedded runtime, in sentences for the
//! person who starts the server.

use std::fs;
use std::path::Path;

use super::cgroup::{Enforced, Hierarchy};
use super::executable::ProtectedExecutable;
use super::seccomp;
use super::tolerance::{Safeguard, Tolerance};
use crate::agent::PROGRAM;

/// How much a weakness matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Containers run safely, but not all of them or not as well.
    Weaker,
    /// No container is run, unless it is allowed to be without this.
    Lacks(Safeguard),
    /// No container can be run safely.
    Unsafe,
}

/// Something that the machine lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    /// What is lacking and what follows from it, as a sentence.
    pub sentence: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Weakness {
    /// Whether no container is run because of it.
    #[must_use]
    pub fn forbids(&self, tolerance: Tolerance) -> bool {
        match self.severity {
            Severity::Weaker => false,
            Severity::Lacks(safeguard) => !tolerance.allows(safeguard),
            Severity::Unsafe => true,
        }
    }

    /// What to say of it at start, and which setting changes what follows.
    #[must_use]
    pub fn announcement(&self, tolerance: Tolerance) -> String {
        let sentence = &self.sentence;
        match self.severity {
            Severity::Weaker => format!("weaker on this machine: {sentence}"),
            Severity::Lacks(safeguard) => {
                let setting = safeguard.setting();
                if tolerance.allows(safeguard) {
                    format!("weaker on this machine: {sentence} Jobs run, as {setting} says.")
                } else {
                    format!(
                        "unsafe on this machine: {sentence} Jobs are refused; {setting} = true in \
                         kiln.toml runs them all the same."
                    )
                }
            }
            Severity::Unsafe => {
                format!("unsafe on this machine: {sentence} No setting changes that.")
            }
        }
    }
}

/// What was found on a machine.
#[derive(Debug, Clone)]
struct Findings {
    effective_capabilities: u64,
    has_groups: bool,
    enforced: Enforced,
    has_overlay: bool,
    has_filters: bool,
    can_protect_mounts: bool,
    network: Option<String>,
}

/// The capabilities without which no container can be made, by their bits.
const NEEDED: [(u32, &str); 6] = [
    (1, "CAP_DAC_OVERRIDE"),
    (5, "CAP_KILL"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (12, "CAP_NET_ADMIN"),
    (21, "CAP_SYS_ADMIN"),
];

/// What this machine lacks; empty when everything is there. Control groups that
/// must be asked to enforce limits are asked.
#[must_use]
pub fn probe() -> Vec<Weakness> {
    let hierarchy = Hierarchy::of_this_machine().ok();
    if let Some(hierarchy) = &hierarchy {
        hierarchy.prepare();
    }
    judge(&Findings {
        effective_capabilities: effective_capabilities(),
        has_groups: hierarchy.as_ref().is_some_and(|found| !found.is_absent()),
        enforced: hierarchy.map_or_else(Enforced::default, |found| found.enforced()),
        has_overlay: has_overlay(),
        has_filters: seccomp::is_available(),
        can_protect_mounts: can_protect_mounts(),
        network: super::network::probe(),
    })
}

fn judge(found: &Findings) -> Vec<Weakness> {
    let missing: Vec<&str> = NEEDED
        .into_iter()
        .filter(|(bit, _)| found.effective_capabilities & (1 << bit) == 0)
        .map(|(_, name)| name)
        .collect();
    let lacking = [
        (!missing.is_empty()).then(|| {
            unsafe_because(format!(
                "This process is not root or lacks {}, so that it cannot make containers.",
                missing.join(", ")
            ))
        }),
        unlimited(found),
        (found.enforced.memory && !found.enforced.swap).then(|| {
            weaker(
                "The kernel does not count swap, so that a job can use swap beyond its memory."
                    .into(),
            )
        }),
        (!found.has_overlay).then(|| {
            weaker("The kernel has no overlay file system, so that local images cannot run.".into())
        }),
        (!found.has_filters).then(|| {
            let sentence = "The kernel cannot filter system calls.";
            lacks(Safeguard::Filter, sentence.into())
        }),
        (!found.can_protect_mounts).then(|| {
            unsafe_because(
                "The kernel cannot protect mounts; it must be Linux 5.12 or later.".into(),
            )
        }),
        found.network.clone().map(weaker),
    ];
    lacking.into_iter().flatten().collect()
}

fn unlimited(found: &Findings) -> Option<Weakness> {
    let missing = found.enforced.missing();
    let sentence = if missing.is_empty() {
        return None;
    } else if found.has_groups {
        format!(
            "The control groups cannot limit {}, so that a job could take the whole machine.",
            missing.join(", ")
        )
    } else {
        "No control groups can be written to, so that nothing can be limited.".to_owned()
    };
    Some(lacks(Safeguard::Limits, sentence))
}

fn lacks(safeguard: Safeguard, sentence: String) -> Weakness {
    Weakness {
        sentence,
        severity: Severity::Lacks(safeguard),
    }
}

fn weaker(sentence: String) -> Weakness {
    Weakness {
        sentence,
        severity: Severity::Weaker,
    }
}

fn unsafe_because(sentence: String) -> Weakness {
    Weakness {
        sentence,
        severity: Severity::Unsafe,
    }
}

/// The bits of this process's effective capabilities.
fn effective_capabilities() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    capability_bits(&status)
}

fn capability_bits(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

/// Whether the kernel has overlayfs or could load it as a module.
fn has_overlay() -> bool {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = format!("/lib/modules/{}/modules.dep", release.trim());
    let loadable = fs::read_to_string(modules).unwrap_or_default();
    known
        .lines()
        .any(|line| line.trim_start_matches("nodev").trim() == "overlay")
        || loadable.contains("/overlay.ko")
}

fn can_protect_mounts() -> bool {
    ProtectedExecutable::of(Path::new(PROGRAM)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: Enforced = Enforced {
        memory: true,
        swap: true,
        cpu: true,
        processes: true,
    };

    fn complete() -> Findings {
        Findings {
            effective_capabilities: u64::MAX,
            has_groups: true,
            enforced: EVERYTHING,
            has_overlay: true,
            has_filters: true,
            can_protect_mounts: true,
            network: None,
        }
    }

    #[test]
    fn a_complete_machine_has_no_weakness() {
        assert_eq!(judge(&complete()), []);
    }

    #[test]
    fn every_lack_is_one_sentence() {
        let cases = [
            (
                Findings {
                    effective_capabilities: 0,
                    ..complete()
                },
                Severity::Unsafe,
            ),
            (
                Findings {
                    has_groups: false,
                    enforced: Enforced::default(),
                    ..complete()
                },
                Severity::Lacks(Safeguard::Limits),
            ),
            (
                Findings {
                    enforced: Enforced {
                        memory: false,
                        ..EVERYTHING
                    },
                    ..complete()
                },
                Severity::Lacks(Safeguard::Limits),
            ),
            (
                Findings {
                    enforced: Enforced {
                        swap: false,
                        ..EVERYTHING
                    },
                    ..complete()
                },
                Severity::Weaker,
            ),
            (
                Findings {
                    has_overlay: false,
                    ..complete()
                },
                Severity::Weaker,
            ),
            (
                Findings {
                    has_filters: false,
                    ..complete()
                },
                Severity::Lacks(Safeguard::Filter),
            ),
            (
                Findings {
                    can_protect_mounts: false,
                    ..complete()
                },
                Severity::Unsafe,
            ),
            (
                Findings {
                    network: Some("No tunnel.".to_owned()),
                    ..complete()
                },
                Severity::Weaker,
            ),
        ];
        for (found, severity) in cases {
            let weaknesses = judge(&found);
            assert_eq!(weaknesses.len(), 1, "{found:?}");
            assert_eq!(weaknesses[0].severity, severity, "{found:?}");
            assert!(weaknesses[0].sentence.ends_with('.'), "{found:?}");
        }
    }

    #[test]
    fn a_sentence_at_start_says_which_setting_helps() {
        let all = Tolerance {
            unlimited: true,
            unfiltered: true,
        };
        let none = Tolerance::default();
        let limits = Severity::Lacks(Safeguard::Limits);
        let filter = Severity::Lacks(Safeguard::Filter);
        let cases = [
            (
                Severity::Weaker,
                none,
                false,
                "weaker on this machine: It is.",
            ),
            (limits, none, true, "run_unlimited = true in kiln.toml"),
            (limits, all, false, "as run_unlimited says."),
            (filter, none, true, "run_unfiltered = true in kiln.toml"),
            (filter, all, false, "as run_unfiltered says."),
            (Severity::Unsafe, all, true, "No setting changes that."),
        ];
        for (severity, tolerance, forbids, said) in cases {
            let weakness = Weakness {
                sentence: "It is.".to_owned(),
                severity,
            };
            assert_eq!(weakness.forbids(tolerance), forbids, "{severity:?}");
            let announcement = weakness.announcement(tolerance);
            assert!(announcement.contains(said), "{announcement}");
        }
    }

    #[test]
    fn capabilities_are_read_from_the_status() {
        assert_eq!(
            capability_bits("Name:\tx\nCapEff:\t0000000000200000\n"),
            1 << 21
        );
        assert_eq!(capability_bits("Name:\tx\n"), 0);
    }
}
