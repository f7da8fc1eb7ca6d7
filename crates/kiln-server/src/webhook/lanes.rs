//! Whose turn it is: every job has a lane, in which one announcement is told at
//! a time, and only so many lanes move at once.
//!
//! A lane that fails rests, and holds up no other meanwhile.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::patience::Tries;

/// How many lanes move at once.
const AT_ONCE: usize = 16;

/// The lanes of all jobs that something may have to be told of.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<String, Progress>,
    /// Those that may move, in order.
    ready: VecDeque<String>,
    /// Those that rest, and until when.
    resting: BTreeSet<(Instant, String)>,
    moving: usize,
}

#[derive(Debug, Default)]
struct Progress {
    tries: Tries,
    moving: bool,
    /// Whether there is more than was known when it began to move.
    more: bool,
}

/// A lane that moves now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) subject: String,
    /// Of its first announcement.
    pub(super) tries: Tries,
}

/// What became of a lane's turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Its first announcement is dealt with.
    Done,
    /// It has to wait, after so many tries.
    Rest(Duration, Tries),
    /// There was none.
    Empty,
}

impl Lanes {
    /// Takes in that there is something to be told of a job.
    pub(super) fn note(&mut self, subject: String) {
        if let Some(lane) = self.lanes.get_mut(&subject) {
            lane.more = true;
            return;
        }
        self.lanes.insert(subject.clone(), Progress::default());
        self.ready.push_back(subject);
    }

    /// The next lane to move, if any may.
    pub(super) fn next(&mut self, now: Instant) -> Option<Lane> {
        self.rouse(now);
        if self.moving >= AT_ONCE {
            return None;
        }
        let subject = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&subject)?;
        lane.moving = true;
        lane.more = false;
        self.moving += 1;
        Some(Lane {
            tries: lane.tries,
            subject,
        })
    }

    /// Takes in what became of a lane's turn.
    pub(super) fn settle(&mut self, subject: &str, turn: Turn) {
        let Some(lane) = self.lanes.get_mut(subject).filter(|lane| lane.moving) else {
            return;
        };
        lane.moving = false;
        self.moving -= 1;
        match turn {
            Turn::Empty if !lane.more => {
                self.lanes.remove(subject);
            }
            Turn::Done | Turn::Empty => {
                lane.tries = Tries::default();
                self.ready.push_back(subject.to_owned());
            }
            Turn::Rest(rest, tries) => {
                lane.tries = tries;
                self.resting
                    .insert((Instant::now() + rest, subject.to_owned()));
            }
        }
    }

    /// When the next lane has rested, if that is what is waited for.
    pub(super) fn rested_at(&self) -> Option<Instant> {
        if self.moving >= AT_ONCE {
            return None;
        }
        self.resting.first().map(|(until, _)| *until)
    }

    fn rouse(&mut self, now: Instant) {
        while self.resting.first().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, subject)) = self.resting.pop_first() {
                self.ready.push_back(subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn lanes(subjects: &[&str]) -> Lanes {
        let mut lanes = Lanes::default();
        for subject in subjects {
            lanes.note((*subject).to_owned());
        }
        lanes
    }

    fn next(lanes: &mut Lanes, now: Instant) -> Option<String> {
        lanes.next(now).map(|lane| lane.subject)
    }

    #[tokio::test]
    async fn a_job_has_one_turn_at_a_time() {
        let now = Instant::now();
        let mut lanes = lanes(&["a", "b", "a"]);
        assert_eq!(next(&mut lanes, now).as_deref(), Some("a"));
        assert_eq!(next(&mut lanes, now).as_deref(), Some("b"));
        assert_eq!(next(&mut lanes, now), None);
        lanes.settle("a", Turn::Done);
        assert_eq!(next(&mut lanes, now).as_deref(), Some("a"));
    }

    #[tokio::test]
    async fn what_comes_while_a_lane_is_found_empty_is_not_forgotten() {
        let now = Instant::now();
        let mut lanes = lanes(&["a"]);
        assert!(lanes.next(now).is_some());
        lanes.note("a".to_owned());
        lanes.settle("a", Turn::Empty);
        assert_eq!(next(&mut lanes, now).as_deref(), Some("a"));
        lanes.settle("a", Turn::Empty);
        assert_eq!(next(&mut lanes, now), None);
        assert!(lanes.lanes.is_empty());
    }

    #[tokio::test]
    async fn a_lane_that_rests_knows_its_tries_and_lets_others_pass() {
        let now = Instant::now();
        let mut lanes = lanes(&["a", "b"]);
        assert!(lanes.next(now).is_some());
        let tries = Tries {
            failed: 3,
            refused: 1,
        };
        lanes.settle("a", Turn::Rest(Duration::from_secs(5), tries));
        assert_eq!(next(&mut lanes, now).as_deref(), Some("b"));
        assert_eq!(next(&mut lanes, now), None);
        assert!(lanes.rested_at().is_some());
        let again = lanes.next(now + Duration::from_secs(6));
        let expected = Lane {
            subject: "a".to_owned(),
            tries,
        };
        assert_eq!(again, Some(expected));
        lanes.settle("a", Turn::Done);
        assert_eq!(
            lanes.next(now).map(|lane| lane.tries),
            Some(Tries::default())
        );
    }

    proptest! {
        /// Whatever happens, no job has two turns at once, not too many have
        /// one, and in the end everything is told in order.
        #[test]
        fn everything_is_told_once_and_in_order(
            events in prop::collection::vec((0..40u8, 0..3u8), 1..200),
        ) {
            let mut lanes = Lanes::default();
            let mut left: HashMap<String, VecDeque<usize>> = HashMap::new();
            let mut told: HashMap<String, Vec<usize>> = HashMap::new();
            let mut moving: HashSet<String> = HashSet::new();
            let mut now = Instant::now();
            let mut feed = events.iter().enumerate();
            loop {
                let fed = feed.next();
                if let Some((number, (subject, _))) = fed {
                    let subject = subject.to_string();
                    left.entry(subject.clone()).or_default().push_back(number);
                    lanes.note(subject);
                }
                while let Some(lane) = lanes.next(now) {
                    prop_assert!(moving.insert(lane.subject));
                }
                prop_assert!(moving.len() <= AT_ONCE);
                let Some(subject) = moving.iter().min().cloned() else {
                    if fed.is_none() { break }
                    continue;
                };
                moving.remove(&subject);
                let fails = fed.is_some_and(|(_, (_, luck))| *luck == 0);
                let queue = left.entry(subject.clone()).or_default();
                let turn = match queue.front().copied() {
                    None => Turn::Empty,
                    Some(_) if fails => Turn::Rest(Duration::from_millis(1), Tries::default()),
                    Some(number) => {
                        queue.pop_front();
                        told.entry(subject.clone()).or_default().push(number);
                        Turn::Done
                    }
                };
                lanes.settle(&subject, turn);
                now = Instant::now() + Duration::from_secs(1);
            }
            prop_assert!(left.values().all(VecDeque::is_empty));
            prop_assert!(told.values().all(|numbers| numbers.is_sorted()));
            prop_assert!(lanes.lanes.is_empty() && lanes.moving == 0);
        }
    }
}
