//! The queue: jobs that wait for instances, those that have waited longest first.
//!
//! It remembers which of them know that there is no room, so that ten thousand
//! waiting jobs are not looked at again each time another one arrives. Jobs that
//! were stopped or deleted meanwhile stand in it until they are first: a ticket
//! is one place in the queue, whoever has its name by then.

use std::collections::VecDeque;

/// One place in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    number: u64,
    /// The job's name.
    pub(super) name: String,
}

/// Tickets of waiting jobs, oldest first. Those of jobs that know that they wait
/// stand before those that do not.
#[derive(Debug, Default)]
pub(super) struct Queue {
    tickets: VecDeque<Ticket>,
    told: usize,
    issued: u64,
}

impl Queue {
    /// Adds a job behind all others.
    pub(super) fn push(&mut self, name: String) {
        self.issued += 1;
        let number = self.issued;
        self.tickets.push_back(Ticket { number, name });
    }

    /// Who has waited longest.
    pub(super) fn first(&self) -> Option<Ticket> {
        self.tickets.front().cloned()
    }

    /// Adds a job before all others. It need not be told that it waits.
    pub(super) fn push_first(&mut self, name: String) {
        self.issued += 1;
        let number = self.issued;
        self.tickets.push_front(Ticket { number, name });
        self.told += 1;
    }

    /// Takes the first out, if this is it.
    pub(super) fn take(&mut self, ticket: &Ticket) {
        if self.tickets.front() == Some(ticket) {
            self.tickets.pop_front();
            self.told = self.told.saturating_sub(1);
        }
    }

    /// Puts the first behind all others, if this is it.
    pub(super) fn defer(&mut self, ticket: Ticket) {
        self.take(&ticket);
        self.push(ticket.name);
    }

    /// The jobs that must still be told that they wait; asked once for each.
    pub(super) fn take_untold(&mut self) -> Vec<String> {
        let untold = self.tickets.iter().skip(self.told);
        let untold = untold.map(|ticket| ticket.name.clone()).collect();
        self.told = self.tickets.len();
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

    fn leave(queue: &mut Queue) -> Option<String> {
        let first = queue.first()?;
        queue.take(&first);
        Some(first.name)
    }

    #[test]
    fn jobs_leave_in_the_order_they_came() {
        let mut queue = queue(&["a", "b", "a"]);
        let first = queue.first().unwrap();
        queue.take(&first);
        // The same name again is another ticket.
        queue.take(&first);
        let left = std::iter::from_fn(|| leave(&mut queue));
        assert_eq!(Vec::from_iter(left), ["b", "a"]);
    }

    #[test]
    fn who_is_deferred_stands_last() {
        let mut queue = queue(&["a", "b"]);
        let first = queue.first().unwrap();
        queue.defer(first);
        let left = std::iter::from_fn(|| leave(&mut queue));
        assert_eq!(Vec::from_iter(left), ["b", "a"]);
    }

    #[test]
    fn who_comes_back_stands_first_and_knows() {
        let mut queue = queue(&["a"]);
        queue.push_first("b".to_owned());
        assert_eq!(queue.take_untold(), ["a"]);
        let left = std::iter::from_fn(|| leave(&mut queue));
        assert_eq!(Vec::from_iter(left), ["b", "a"]);
    }

    #[test]
    fn each_job_is_told_once_whoever_leaves_meanwhile() {
        let mut queue = queue(&["a", "b"]);
        assert_eq!(queue.take_untold(), ["a", "b"]);
        queue.push("c".to_owned());
        leave(&mut queue);
        assert_eq!(queue.take_untold(), ["c"]);
        assert!(queue.take_untold().is_empty());
        while leave(&mut queue).is_some() {}
        queue.push("d".to_owned());
        assert_eq!(queue.take_untold(), ["d"]);
    }
}
