//! The packets that wait for one peer.
//!
//! A peer that is there takes them soon, so that they only bridge the moments in
//! which its socket is full. One that is not there yet may take long to come:
//! then the latest few are kept, so that connections which the container opens
//! meanwhile are there with the peer, and not only when their kernel tries again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is kept for a peer that is there.
const MOST_BYTES: usize = 4 << 20;
/// What a packet takes beside its own bytes.
const OVERHEAD: usize = 64;
/// How many packets are kept for a peer that is not there.
const MOST_HELD: usize = 16;
/// How long they are kept: no longer than a packet may be on its way.
const HELD_FOR: Duration = Duration::from_secs(60);

/// A peer's packets, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    packets: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    is_open: bool,
    is_sending: bool,
}

impl Queue {
    /// Whether a packet may be sent past the queue.
    pub(super) fn is_clear(&self) -> bool {
        self.is_open && !self.is_sending && self.packets.is_empty()
    }

    /// Says whether the peer is there.
    pub(super) fn set_open(&mut self, is_open: bool) {
        self.is_open = is_open;
    }

    /// Whether the peer is there.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Adds a packet, unless there is no room; one that waits for a peer that is
    /// not there takes the place of the oldest.
    pub(super) fn add(&mut self, packet: &[u8], now: Instant) {
        if !self.is_open && self.packets.len() >= MOST_HELD {
            self.remove_first();
        }
        let bytes = self.bytes + packet.len() + OVERHEAD;
        if bytes <= MOST_BYTES {
            self.bytes = bytes;
            self.packets.push_back((now, packet.to_vec()));
        }
    }

    /// Forgets what has waited too long, and says whether anything waits still.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        while self
            .packets
            .front()
            .is_some_and(|(since, _)| now.saturating_duration_since(*since) >= HELD_FOR)
        {
            self.remove_first();
        }
        !self.packets.is_empty()
    }

    /// Takes the next packet to send. Until it is [`sent`](Self::sent), none may
    /// overtake it.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let packet = self.remove_first();
        self.is_sending = packet.is_some();
        packet
    }

    /// Says that the packet taken last is on its way, or lost.
    pub(super) fn sent(&mut self) {
        self.is_sending = false;
    }

    fn remove_first(&mut self) -> Option<Vec<u8>> {
        let (_, packet) = self.packets.pop_front()?;
        self.bytes -= packet.len() + OVERHEAD;
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(queue: &mut Queue) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| queue.next()).collect()
    }

    #[test]
    fn nothing_overtakes_what_waits() {
        let now = Instant::now();
        let mut queue = Queue::default();
        assert!(!queue.is_clear(), "nobody is there");
        queue.set_open(true);
        assert!(queue.is_clear());
        queue.add(b"first", now);
        assert!(!queue.is_clear());
        assert_eq!(queue.next().unwrap(), b"first");
        assert!(!queue.is_clear(), "it is not sent yet");
        queue.sent();
        assert!(queue.is_clear());
        assert_eq!(queue.next(), None);
        assert!(queue.is_clear());
    }

    #[test]
    fn the_latest_few_wait_for_a_peer_that_is_not_there() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for number in 0..100_u8 {
            queue.add(&[number], now);
        }
        let kept: Vec<Vec<u8>> = (84..100).map(|number| vec![number]).collect();
        assert_eq!(all(&mut queue), kept);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn they_do_not_wait_for_ever() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add(b"early", now);
        queue.add(b"late", now + HELD_FOR / 2);
        assert!(queue.expire(now + HELD_FOR - Duration::from_millis(1)));
        assert!(queue.expire(now + HELD_FOR));
        assert_eq!(queue.packets.len(), 1);
        assert!(!queue.expire(now + HELD_FOR * 2));
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn a_full_queue_loses_the_newest() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.set_open(true);
        let packet = vec![0; 65_000];
        for _ in 0..1000 {
            queue.add(&packet, now);
        }
        assert_eq!(queue.packets.len(), MOST_BYTES / (65_000 + OVERHEAD));
        queue.next();
        queue.add(b"there is room again", now);
        assert_eq!(all(&mut queue).last().unwrap(), b"there is room again");
    }

    proptest! {
        #[test]
        fn what_it_holds_is_counted_and_bounded(
            steps in proptest::collection::vec((0..5_u8, 0..70_000_usize), 0..200),
        ) {
            let begun = Instant::now();
            let mut queue = Queue::default();
            for (number, (step, size)) in steps.into_iter().enumerate() {
                let now = begun + Duration::from_secs(number as u64);
                match step {
                    0 => queue.set_open(size % 2 == 0),
                    1 => drop(queue.next()),
                    2 => drop(queue.expire(now)),
                    _ => queue.add(&vec![0; size], now),
                }
                let bytes: usize = queue.packets.iter().map(|(_, one)| one.len() + OVERHEAD).sum();
                prop_assert_eq!(queue.bytes, bytes);
                prop_assert!(bytes <= MOST_BYTES);
            }
        }
    }
}
