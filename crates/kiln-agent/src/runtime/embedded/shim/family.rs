//! The processes of a container: all that descend from its first one, which takes
//! in whatever loses its parent. They are found the same way on machines with and
//! without control groups.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends a signal to all that descend from a process, and not to itself.
pub fn signal(ancestor: Pid, signal: Signal) {
    for pid in descendants(ancestor.as_raw(), &parents()) {
        // A process that ended meanwhile needs no signal.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// The parent of every process in sight.
fn parents() -> BTreeMap<i32, i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let known = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((pid, parent(&status)?))
    });
    known.collect()
}

/// The parent in a process's `stat`. The name before it may hold anything.
fn parent(status: &str) -> Option<i32> {
    let (_, fields) = status.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// All whose line of parents leads to the ancestor.
fn descendants(ancestor: i32, parents: &BTreeMap<i32, i32>) -> Vec<i32> {
    let mut found = vec![ancestor];
    let mut visited = 0;
    while let Some(&one) = found.get(visited) {
        let children = parents.iter().filter(|(_, parent)| **parent == one);
        found.extend(children.map(|(pid, _)| *pid));
        visited += 1;
    }
    found.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn descendants_are_found_over_generations() {
        let parents = BTreeMap::from([(1, 0), (10, 1), (20, 10), (30, 10), (25, 30), (40, 1)]);
        let cases = [
            (10, vec![20, 30, 25]),
            (30, vec![25]),
            (25, vec![]),
            (99, vec![]),
        ];
        for (ancestor, expected) in cases {
            assert_eq!(descendants(ancestor, &parents), expected, "{ancestor}");
        }
    }

    proptest! {
        #[test]
        fn a_parent_is_read_whatever_the_name_is(name in "[^\0]{0,15}", number in 0..i32::MAX) {
            let status = format!("7 ({name}) S {number} 7 7 0 -1");
            prop_assert_eq!(parent(&status), Some(number));
        }
    }

    #[test]
    fn what_is_no_status_has_no_parent() {
        for text in ["", "7 (x", "7 (x)", "7 (x) S", "7 (x) S y"] {
            assert_eq!(parent(text), None, "{text}");
        }
    }
}
