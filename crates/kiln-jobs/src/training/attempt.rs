//! One attempt of a job: how far each of its hosts has come, and how it ends.
//!
//! The attempt is where its slowest host is. It is over when all its hosts have
//! ended; what happens first to any of them decides how.

use kiln_agent::report::{Cut, Ending, Orders, Outcome, Stage};
use kiln_model::Timestamp;
use kiln_model::api::{SecondaryStatus, TrainingJobStatus};
use serde::{Deserialize, Serialize};

/// The hosts of an attempt, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    hosts: Vec<Progress>,
    /// The instances of the hosts.
    pub instances: Vec<String>,
    /// When all hosts had begun to download.
    pub began: Option<Timestamp>,
    /// How it ends, if not by its work's good end.
    pub verdict: Option<Verdict>,
}

/// How far a host has come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Progress {
    stage: Stage,
    ended: bool,
    completed: bool,
    stored: bool,
}

/// How an attempt ends whose work does not simply end well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Its user asked for an end.
    Stopped,
    /// It ran for longer than it may.
    MaxRuntimeExceeded,
    /// Its job, on spot capacity, took longer than it may.
    MaxWaitTimeExceeded,
    /// Its job waited for capacity longer than it may.
    MaxPendingTimeExceeded,
    /// It failed, for this reason.
    Failed(String),
    /// Its machine was wanted for something else.
    Interrupted,
}

impl Verdict {
    /// Whether a job with this verdict ends stopped, whatever else happens to it.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        !matches!(self, Self::Failed(_) | Self::Interrupted)
    }

    /// The status, the secondary status and the message of a job that ends so;
    /// without a verdict its work has ended well.
    #[must_use]
    pub fn shown(verdict: Option<&Self>) -> (TrainingJobStatus, SecondaryStatus, &'static str) {
        use {SecondaryStatus as Secondary, TrainingJobStatus as Status};
        match verdict {
            None => (
                Status::Completed,
                Secondary::Completed,
                "Training job completed",
            ),
            Some(Self::Failed(_)) => (Status::Failed, Secondary::Failed, "Training job failed"),
            Some(Self::Stopped | Self::Interrupted) => {
                (Status::Stopped, Secondary::Stopped, "Training job stopped")
            }
            Some(Self::MaxPendingTimeExceeded) => (
                Status::Stopped,
                Secondary::Stopped,
                "Training job waited for capacity longer than MaxPendingTimeInSeconds",
            ),
            Some(Self::MaxRuntimeExceeded) => (
                Status::Stopped,
                Secondary::MaxRuntimeExceeded,
                "Training job runtime exceeded MaxRuntimeInSeconds provided",
            ),
            Some(Self::MaxWaitTimeExceeded) => (
                Status::Stopped,
                Secondary::MaxWaitTimeExceeded,
                "Training job exceeded MaxWaitTimeInSeconds provided",
            ),
        }
    }
}

impl Attempt {
    /// What is wanted of an instance whose attempt is over.
    pub const OVER: Orders = Orders {
        cut: Some(Cut::Stop),
        proceed: true,
        profiler_off: false,
    };

    /// An attempt whose instances have only just been placed.
    #[must_use]
    pub fn new(instances: Vec<String>) -> Self {
        let placed = Progress {
            stage: Stage::Preparing,
            ended: false,
            completed: false,
            stored: false,
        };
        Self {
            hosts: vec![placed; instances.len()],
            instances,
            began: None,
            verdict: None,
        }
    }

    /// A host has entered a stage; answers the attempt's own stage when that
    /// has advanced with it.
    pub fn advance(&mut self, host: usize, stage: Stage) -> Option<Stage> {
        let before = self.stage();
        let progress = self.hosts.get_mut(host).filter(|host| !host.ended)?;
        progress.stage = progress.stage.max(stage);
        let after = self.stage();
        (after > before).then_some(after)
    }

    /// The stage that all hosts have reached.
    fn stage(&self) -> Stage {
        let stage = |host: &Progress| match host.stage {
            _ if host.ended => Stage::Uploading,
            // It is still at its work.
            Stage::Stopping => Stage::Working,
            stage => stage,
        };
        self.hosts
            .iter()
            .map(stage)
            .min()
            .unwrap_or(Stage::Preparing)
    }

    /// A host's work has failed; it will end when what there is is stored.
    pub fn fail(&mut self, host: usize, reason: String) {
        if self.hosts.get(host).is_some_and(|host| !host.ended) {
            self.decide(Verdict::Failed(reason));
        }
    }

    /// A host has ended. Answers whether it had not before.
    pub fn end(&mut self, host: usize, ending: Ending) -> bool {
        let Some(progress) = self.hosts.get_mut(host).filter(|host| !host.ended) else {
            return false;
        };
        progress.ended = true;
        progress.stored = ending.stored;
        match ending.outcome {
            Outcome::Completed => progress.completed = true,
            Outcome::Failed(reason) => self.decide(Verdict::Failed(reason)),
            Outcome::Stopped => self.decide(Verdict::Stopped),
            Outcome::MaxRuntimeExceeded => self.decide(Verdict::MaxRuntimeExceeded),
            Outcome::Interrupted => self.decide(Verdict::Interrupted),
        }
        true
    }

    /// Decides how it ends, unless that is decided. Work that fails of itself has
    /// failed, although it was to be interrupted.
    pub fn decide(&mut self, verdict: Verdict) {
        if matches!(self.verdict, None | Some(Verdict::Interrupted)) {
            self.verdict = Some(verdict);
        }
    }

    /// Decides that it ends by a stop, which goes before a failure that has been
    /// and an interruption.
    pub fn stop(&mut self, verdict: Verdict) {
        if self.verdict.as_ref().is_none_or(|known| !known.is_stop()) {
            self.verdict = Some(verdict);
        }
    }

    /// Whether a host has ended.
    #[must_use]
    pub fn has_ended(&self, host: usize) -> bool {
        self.hosts.get(host).is_none_or(|host| host.ended)
    }

    /// Whether all hosts have ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.hosts.iter().all(|host| host.ended)
    }

    /// Whether every host's work has ended well, whatever was wanted of it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.hosts.iter().all(|host| host.completed)
    }

    /// Whether its outputs are stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.hosts.iter().any(|host| host.stored)
    }

    /// How many hosts it has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.hosts.len()
    }

    /// What is wanted of a host.
    #[must_use]
    pub fn orders(&self, host: usize) -> Orders {
        let cut = self.verdict.as_ref().map(|verdict| match verdict {
            Verdict::Interrupted => Cut::Interrupt,
            _ => Cut::Stop,
        });
        let proceed = match host {
            0 => self.hosts.iter().skip(1).all(|host| host.ended),
            _ => self.hosts.first().is_none_or(|first| first.ended),
        };
        Orders {
            cut,
            proceed,
            profiler_off: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hosts: usize) -> Attempt {
        Attempt::new(vec![String::new(); hosts])
    }

    fn ending(outcome: Outcome) -> Ending {
        Ending {
            outcome,
            stored: false,
        }
    }

    #[test]
    fn it_is_where_its_slowest_host_is() {
        let mut attempt = of(2);
        let cases = [
            (0, Stage::Downloading, None),
            (1, Stage::Downloading, Some(Stage::Downloading)),
            (0, Stage::Working, None),
            (1, Stage::DownloadingImage, Some(Stage::DownloadingImage)),
            (1, Stage::Working, Some(Stage::Working)),
            (0, Stage::Stopping, None),
            (1, Stage::Downloading, None),
            (0, Stage::Uploading, None),
            (7, Stage::Uploading, None),
            (1, Stage::Uploading, Some(Stage::Uploading)),
        ];
        for (host, stage, expected) in cases {
            assert_eq!(attempt.advance(host, stage), expected, "{host} {stage:?}");
        }
    }

    #[test]
    fn what_happens_first_decides() {
        let failed = |text: &str| Outcome::Failed(text.to_owned());
        let verdict = |text: &str| Some(Verdict::Failed(text.to_owned()));
        let cases = [
            (vec![failed("a"), failed("b")], verdict("a")),
            (vec![failed("a"), Outcome::Stopped], verdict("a")),
            (vec![Outcome::Completed, failed("b")], verdict("b")),
            (vec![Outcome::Interrupted, failed("b")], verdict("b")),
            (
                vec![Outcome::MaxRuntimeExceeded, Outcome::Stopped],
                Some(Verdict::MaxRuntimeExceeded),
            ),
            (vec![Outcome::Completed, Outcome::Completed], None),
        ];
        for (outcomes, expected) in cases {
            let mut attempt = of(2);
            for (host, outcome) in outcomes.into_iter().enumerate() {
                assert!(!attempt.is_over());
                assert!(attempt.end(host, ending(outcome)));
            }
            assert!(attempt.is_over());
            assert!(!attempt.end(1, ending(failed("late"))));
            assert_eq!(attempt.verdict, expected);
        }
    }

    #[test]
    fn the_first_host_waits_for_the_others_and_they_for_it() {
        let mut attempt = of(3);
        let proceed = |attempt: &Attempt| [0, 1, 2].map(|host| attempt.orders(host).proceed);
        assert_eq!(proceed(&attempt), [false, false, false]);
        attempt.advance(1, Stage::Uploading);
        attempt.end(2, ending(Outcome::Stopped));
        assert_eq!(proceed(&attempt), [false, false, false]);
        attempt.end(1, ending(Outcome::Completed));
        assert_eq!(proceed(&attempt), [true, false, false]);
        attempt.end(0, ending(Outcome::Completed));
        assert_eq!(proceed(&attempt), [true, true, true]);
        assert!(of(1).orders(0).proceed);
    }

    #[test]
    fn a_failure_stops_the_others_and_an_interruption_interrupts_them() {
        for (verdict, cut) in [
            (Verdict::Failed("x".to_owned()), Cut::Stop),
            (Verdict::Stopped, Cut::Stop),
            (Verdict::MaxWaitTimeExceeded, Cut::Stop),
            (Verdict::Interrupted, Cut::Interrupt),
        ] {
            let mut attempt = of(2);
            assert_eq!(attempt.orders(1).cut, None);
            attempt.decide(verdict);
            assert_eq!(attempt.orders(1).cut, Some(cut));
        }
    }
}
