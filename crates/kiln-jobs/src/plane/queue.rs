//! The queue: jobs of all kinds that wait for instances, those that have waited longest
//! first.
//!
//! It remembers which of them know that there is no room, so that ten thousand
//! waiting jobs are not looked at again each time another one arrives. Jobs that
//! were stopped or deleted meanwhile stand in it until they are first: a ticket
//! is one place in the queue, whoever has its name by then.

use std::collections::VecDeque;

/// One place in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    number: u64,
    /// The job's kind.
    pub(crate) kind: &'static str,
    /// The job's name.
    pub(crate) name: String,
}

/// Tickets of waiting jobs, oldest first. Those of jobs that know that they wait
/// stand before those that do not.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    tickets: VecDeque<Ticket>,
    told: usize,
    issued: u64,
}

impl Queue {
    /// Adds a job behind all others.
    pub(crate) fn push(&mut self, kind: &'static str, name: String) {
        self.issued += 1;
        let number = self.issued;
        self.tickets.push_back(Ticket { number, kind, name });
    }

    /// Who has waited longest.
    pub(crate) fn first(&self) -> Option<Ticket> {
        self.tickets.front().cloned()
    }

    /// Adds a job before all others. It need not be told that it waits.
    pub(crate) fn push_first(&mut self, kind: &'static str, name: String) {
        self.issued += 1;
        let number = self.issued;
        self.tickets.push_front(Ticket { number, kind, name });
        self.told += 1;
    }

    /// Takes the first out, if this is it.
    pub(crate) fn take(&mut self, ticket: &Ticket) {
        if self.tickets.front() == Some(ticket) {
            self.tickets.pop_front();
            self.told = self.told.saturating_sub(1);
        }
    }

    /// Puts the first behind all others, if this is it.
    pub(crate) fn defer(&mut self, ticket: Ticket) {
        self.take(&ticket);
        self.push(ticket.kind, ticket.name);
    }

    /// The jobs that must still be told that they wait; asked once for each.
    pub(crate) fn take_untold(&mut self) -> Vec<(&'static str, String)> {
        let untold = self.tickets.iter().skip(self.told);
        let untold = untold
            .map(|ticket| (ticket.kind, ticket.name.clone()))
            .collect();
        self.told = self.tickets.len();
        untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "kind";

    fn queue(names: &[&str]) -> Queue {
        let mut queue = Queue::default();
        names
            .iter()
            .for_each(|name| queue.push(KIND, (*name).to_owned()));
        queue
    }

    fn untold(queue: &mut Queue) -> Vec<String> {
        let untold = queue.take_untold().into_iter();
        untold.map(|(_, name)| name).collect()
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
        queue.push_first(KIND, "b".to_owned());
        assert_eq!(untold(&mut queue), ["a"]);
        let left = std::iter::from_fn(|| leave(&mut queue));
        assert_eq!(Vec::from_iter(left), ["b", "a"]);
    }

    #[test]
    fn each_job_is_told_once_whoever_leaves_meanwhile() {
        let mut queue = queue(&["a", "b"]);
        assert_eq!(untold(&mut queue), ["a", "b"]);
        queue.push(KIND, "c".to_owned());
        leave(&mut queue);
        assert_eq!(untold(&mut queue), ["c"]);
        assert!(queue.take_untold().is_empty());
        while leave(&mut queue).is_some() {}
        queue.push(KIND, "d".to_owned());
        assert_eq!(untold(&mut queue), ["d"]);
    }
}
