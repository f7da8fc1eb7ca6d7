//! What this machine refuses to the embedded runtime, in sentences for the
//! person who starts the server.

use std::fs;

use super::cgroup::Hierarchy;
use super::executable::ProtectedExecutable;

/// How much a weakness matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Containers run safely, but not all of them or not as well.
    Weaker,
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

/// What was found on a machine.
#[derive(Debug, Clone)]
struct Findings {
    effective_capabilities: u64,
    hierarchy: Option<Hierarchy>,
    missing_controllers: Vec<&'static str>,
    limits_swap: bool,
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

/// What this machine lacks; empty when everything is there.
#[must_use]
pub fn probe() -> Vec<Weakness> {
    let hierarchy = Hierarchy::of_this_machine().ok();
    judge(&Findings {
        effective_capabilities: effective_capabilities(),
        missing_controllers: hierarchy
            .as_ref()
            .map_or(Vec::new(), Hierarchy::missing_controllers),
        limits_swap: hierarchy.as_ref().is_some_and(Hierarchy::limits_swap),
        hierarchy,
        has_overlay: has_overlay(),
        has_filters: fs::exists("/proc/sys/kernel/seccomp/actions_avail").unwrap_or(false),
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
        found.hierarchy.is_none().then(|| {
            unsafe_because("No control groups are mounted, so that nothing can be limited.".into())
        }),
        (!found.missing_controllers.is_empty()).then(|| {
            unsafe_because(format!(
                "The control groups lack {}, so that a job could take the whole machine.",
                found.missing_controllers.join(", ")
            ))
        }),
        (found.hierarchy.is_some() && !found.limits_swap).then(|| {
            weaker(
                "The kernel does not count swap, so that a job can use swap beyond its memory."
                    .into(),
            )
        }),
        (!found.has_overlay).then(|| {
            weaker("The kernel has no overlay file system, so that local images cannot run.".into())
        }),
        (!found.has_filters)
            .then(|| unsafe_because("The kernel cannot filter system calls.".into())),
        (!found.can_protect_mounts).then(|| {
            unsafe_because(
                "The kernel cannot protect mounts; it must be Linux 5.12 or later.".into(),
            )
        }),
        found.network.clone().map(weaker),
    ];
    lacking.into_iter().flatten().collect()
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
    std::env::current_exe()
        .and_then(|path| ProtectedExecutable::of(&path))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn complete() -> Findings {
        Findings {
            effective_capabilities: u64::MAX,
            hierarchy: Some(Hierarchy::Unified(PathBuf::from("/sys/fs/cgroup"))),
            missing_controllers: Vec::new(),
            limits_swap: true,
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
                    hierarchy: None,
                    ..complete()
                },
                Severity::Unsafe,
            ),
            (
                Findings {
                    missing_controllers: vec!["memory"],
                    ..complete()
                },
                Severity::Unsafe,
            ),
            (
                Findings {
                    limits_swap: false,
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
                Severity::Unsafe,
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
    fn capabilities_are_read_from_the_status() {
        assert_eq!(
            capability_bits("Name:\tx\nCapEff:\t0000000000200000\n"),
            1 << 21
        );
        assert_eq!(capability_bits("Name:\tx\n"), 0);
    }
}
