//! The queue: jobs that were accepted and have no instance yet, oldest first.
//!
//! It remembers which of them know that there is no room, so that ten thousand
//! waiting jobs are not looked at again each time another one arrives.

use std::collections::VecDeque;

/// Names of waiting jobs, oldest first. Those that know that they wait stand
/// before those that do not.
#[derive(Debug, Default)]
pub(super) struct Queue {
    names: VecDeque<String>,
    told: usize,
}

impl Queue {
    /// Adds a job behind all others.
    pub(super) fn push(&mut self, name: String) {
        self.names.push_back(name);
    }

    /// The job that has waited longest.
    pub(super) fn first(&self) -> Option<&str> {
        self.names.front().map(String::as_str)
    }

    /// Takes a job out, wherever it stands.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(at) = self.names.iter().position(|queued| queued == name) {
            self.names.remove(at);
            if at < self.told {
                self.told -= 1;
            }
        }
    }

    /// The jobs that must still be told that they wait; asked once for each.
    pub(super) fn take_untold(&mut self) -> Vec<String> {
        let untold = self.names.iter().skip(self.told).cloned().collect();
        self.told = self.names.len();
        untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(names: &[&str]) -> Queue {
        let mut queue = Queue::default();
        names.iter().for_each(|name| queue.push((*name).to_owned()));
        queue
    }

    #[test]
    fn jobs_leave_in_the_order_they_came() {
        let mut queue = queue(&["a", "b", "c"]);
        for (gone, first) in [
            ("b", Some("a")),
            ("a", Some("c")),
            ("x", Some("c")),
            ("c", None),
        ] {
            queue.remove(gone);
            assert_eq!(queue.first(), first, "after {gone}");
        }
    }

    #[test]
    fn each_job_is_told_once_whoever_leaves_meanwhile() {
        for (gone, untold) in [("a", vec!["c"]), ("c", vec![]), ("x", vec!["c"])] {
            let mut queue = queue(&["a", "b"]);
            assert_eq!(queue.take_untold(), ["a", "b"]);
            queue.push("c".to_owned());
            queue.remove(gone);
            assert_eq!(queue.take_untold(), untold, "without {gone}");
            assert!(queue.take_untold().is_empty(), "without {gone}");
        }
    }
}
