//! The work: one container, from its start to its removal, whatever cuts it short.
//!
//! A cut asks the work to end, gives it its grace, and kills it. No wait that
//! follows a cut is without an end, so that neither a container engine that
//! hangs nor a process that cannot be killed holds up the end of the job.

use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::OptionFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::capture::{Matcher, capture};
use crate::inputs::FileSystems;
use crate::profile::{Gauge, Profiler};
use crate::report::{Cut, Orders, Outcome, Report, Stage};
use crate::runtime::{Container, Exit, Meter, Network, Running, Runtime, RuntimeError};
use crate::spool::Spool;
use crate::{AgentError, failure, image};

const SIGTERM: i32 = nix::libc::SIGTERM;
const SIGKILL: i32 = nix::libc::SIGKILL;

/// How long a start goes on when nobody wants it any more.
const START_SEEN_THROUGH: Duration = Duration::from_secs(10);
/// How long what a start may have left is looked for.
const CLEARED_WITHIN: Duration = Duration::from_secs(30);
/// The time between SIGTERM and SIGKILL for work that has failed already. What
/// fails for filling the disk goes on filling it.
const GRACE_AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How long a container that was killed may take to end.
const DEATH_WITHIN: Duration = Duration::from_secs(60);
/// How long the rest of the output may take once nobody should be left to write.
/// Somebody may be: a container that could not be removed, or another job's
/// process, to which the work has passed its end of the pipe.
const OUTPUT_WITHIN: Duration = Duration::from_secs(30);

/// How the work ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Worked {
    pub(crate) exit: Exit,
    /// What cut it short, if anything did.
    pub(crate) cut: Option<Outcome>,
    /// Why it could not even start.
    pub(crate) complaint: Option<String>,
}

impl Worked {
    /// The same, seen in the light of what went wrong beside the work: a program
    /// that could not read its data has failed because of that.
    pub(crate) fn unless(mut self, trouble: Option<Outcome>) -> Self {
        if self.cut.is_none() && self.exit != Exit::Code(0) {
            self.cut = trouble;
        }
        self
    }
}

/// What the work runs under.
pub(crate) struct Work<'a> {
    /// The instance's directory.
    pub(crate) directory: &'a Path,
    pub(crate) spool: &'a Arc<Spool>,
    /// What the control plane wants.
    pub(crate) orders: &'a watch::Receiver<Orders>,
    pub(crate) deadline: Instant,
    /// Becomes the outcome of what goes wrong beside the work.
    pub(crate) trouble: watch::Receiver<Option<Outcome>>,
    /// The time between SIGTERM and SIGKILL.
    pub(crate) grace: Duration,
    /// Ended before the work is killed.
    pub(crate) file_systems: FileSystems,
    /// Measures the work while it runs.
    pub(crate) profiler: Option<Profiler>,
    /// The same, for the instance metrics.
    pub(crate) gauge: Option<Gauge>,
    /// Set when something of the container may be left, or come to be only now.
    pub(crate) unsettled: &'a AtomicBool,
}

/// The task that reads the container's output. Nothing is read any more when
/// this is dropped.
struct Captured(JoinHandle<Result<(), AgentError>>);

impl Captured {
    /// Waits for the end of the output, for a while.
    async fn end(mut self) -> Result<(), AgentError> {
        match timeout(OUTPUT_WITHIN, &mut self.0).await {
            Ok(Ok(captured)) => captured,
            Ok(Err(died)) => Err(AgentError::io("reading the output")(std::io::Error::other(
                died,
            ))),
            Err(_) => {
                tracing::warn!("somebody keeps the container's output open");
                Ok(())
            }
        }
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns when an instance's life must be cut short, and says why.
pub(crate) async fn cut(orders: &watch::Receiver<Orders>, deadline: Instant) -> Outcome {
    let mut orders = orders.clone();
    let ordered = async {
        match orders.wait_for(|orders| orders.cut.is_some()).await {
            Ok(orders) if orders.cut == Some(Cut::Interrupt) => Outcome::Interrupted,
            _ => Outcome::Stopped,
        }
    };
    tokio::select! {
        biased;
        outcome = ordered => outcome,
        () = tokio::time::sleep_until(deadline) => Outcome::MaxRuntimeExceeded,
    }
}

impl Work<'_> {
    /// Runs the container to its end and removes it. Its output is spooled.
    pub(crate) async fn run(
        &self,
        runtime: &dyn Runtime,
        container: &Container,
        network: &Network,
        matchers: Vec<Matcher>,
    ) -> Result<Worked, Outcome> {
        let (output, captured) = self.capture_output(matchers)?;
        let starting = runtime.start(container, network, output);
        match self.started(starting, &container.id).await? {
            Ok(running) => self.see_through(running, captured).await,
            Err(RuntimeError::Command { message, code }) => {
                self.spool
                    .append([Report::Log(message.clone())])
                    .map_err(internal)?;
                Ok(Worked {
                    exit: Exit::Code(code),
                    cut: None,
                    complaint: Some(message),
                })
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn capture_output(&self, matchers: Vec<Matcher>) -> Result<(OwnedFd, Captured), Outcome> {
        let (sender, receiver) = tokio::net::unix::pipe::pipe().map_err(internal)?;
        let output = sender.into_blocking_fd().map_err(internal)?;
        let spool = self.spool.clone();
        let captured = tokio::spawn(async move { capture(receiver, &matchers, &spool).await });
        Ok((output, Captured(captured)))
    }

    /// Waits until the container has started. A start that is cut is seen
    /// through for a while, since what was made whole is surely removed; after
    /// that, what there may be of it is looked for.
    async fn started(
        &self,
        mut starting: impl Future<Output = Result<Box<dyn Running>, RuntimeError>> + Unpin,
        id: &str,
    ) -> Result<Result<Box<dyn Running>, RuntimeError>, Outcome> {
        let cut = tokio::select! {
            biased;
            started = &mut starting => return Ok(started),
            cut = self.cut() => cut,
        };
        match timeout(START_SEEN_THROUGH, starting).await {
            Ok(Ok(running)) => {
                if let Err(error) = running.remove().await {
                    tracing::warn!(%error, "a container that was not wanted any more is left");
                    self.unsettled.store(true, Ordering::Relaxed);
                }
            }
            Ok(Err(_)) => {}
            Err(_) => {
                self.unsettled.store(true, Ordering::Relaxed);
                clear(self.directory, id).await;
            }
        }
        Err(cut)
    }

    /// Waits for the container's end and removes it. It goes before its output
    /// is waited for: whatever went wrong, nobody is left who could write more.
    /// What is known of the end stays true when the rest goes wrong: neither what
    /// the work has made nor the time that it took is thrown away for that.
    async fn see_through(
        &self,
        mut running: Box<dyn Running>,
        captured: Captured,
    ) -> Result<Worked, Outcome> {
        let meter = running.meter();
        let worked = tokio::select! {
            worked = self.end(running.as_mut()) => worked,
            never = self.measure(meter.as_deref()) => match never {},
        };
        if let (Some(gauge), Some(meter)) = (&self.gauge, &meter) {
            gauge.conclude(meter.as_ref()).await;
        }
        if let Err(error) = running.remove().await {
            tracing::warn!(%error, "something of a container that has ended is left");
            self.unsettled.store(true, Ordering::Relaxed);
        }
        let captured = captured.end().await;
        let worked = worked.map_err(failed)?;
        match captured {
            // Work whose output nobody takes any more may have failed for that.
            Err(error) if worked.cut.is_none() && worked.exit != Exit::Code(0) => {
                Err(internal(error))
            }
            Err(error) => {
                tracing::warn!(%error, "the end of the work's log is lost");
                Ok(worked)
            }
            Ok(()) => Ok(worked),
        }
    }

    /// Measures the work for as long as it is polled, where it can be measured.
    async fn measure(&self, meter: Option<&dyn Meter>) -> Infallible {
        let Some(meter) = meter else {
            return std::future::pending().await;
        };
        let profiler = self.profiler.as_ref().map(|profiler| profiler.run(meter));
        let gauge = self.gauge.as_ref().map(|gauge| gauge.run(meter));
        tokio::select! {
            Some(never) = OptionFuture::from(profiler) => never,
            Some(never) = OptionFuture::from(gauge) => never,
            else => std::future::pending().await,
        }
    }

    async fn end(&self, running: &mut dyn Running) -> Result<Worked, RuntimeError> {
        let cut = tokio::select! {
            biased;
            exit = running.wait() => return Ok(Worked { exit: exit?, cut: None, complaint: None }),
            cut = self.cut() => cut,
        };
        // A job that fails for what is wrong beside it is not a job that stops.
        let grace = if matches!(cut, Outcome::Failed(_)) {
            self.grace.min(GRACE_AFTER_FAILURE)
        } else {
            self.grace
        };
        let killed_at = Instant::now() + grace;
        if matches!(cut, Outcome::Stopped | Outcome::MaxRuntimeExceeded) {
            let stopping = Report::Stage(Stage::Stopping);
            let appended = self.spool.append([stopping]);
            appended.map_err(RuntimeError::io("writing down a report"))?;
        }
        // However this goes, it may end all the same, and is killed if not.
        match timeout_at(killed_at, running.signal(SIGTERM)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the work could not be asked to end"),
            Err(_) => tracing::warn!("the work could not be asked to end in all its grace"),
        }
        let exit = match timeout_at(killed_at, running.wait()).await {
            Ok(exit) => exit?,
            Err(_) => {
                self.file_systems.close();
                kill(running).await?
            }
        };
        Ok(Worked {
            exit,
            cut: Some(cut),
            complaint: None,
        })
    }

    async fn cut(&self) -> Outcome {
        tokio::select! {
            biased;
            cut = cut(self.orders, self.deadline) => cut,
            trouble = self.troubled() => trouble,
        }
    }

    async fn troubled(&self) -> Outcome {
        let mut trouble = self.trouble.clone();
        let outcome = match trouble.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        };
        match outcome {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }
}

async fn kill(running: &mut dyn Running) -> Result<Exit, RuntimeError> {
    running.signal(SIGKILL).await?;
    let survived = || RuntimeError::Machine("the container was killed and did not end".to_owned());
    timeout(DEATH_WITHIN, running.wait())
        .await
        .unwrap_or_else(|_| Err(survived()))
}

/// Removes what a container that was dropped may have left, as far as it is found
/// in a while.
pub(crate) async fn clear(directory: &Path, id: &str) {
    if timeout(CLEARED_WITHIN, image::clear(directory, id))
        .await
        .is_err()
    {
        tracing::warn!("a container may be left");
    }
}

/// The outcome when a container could not be run.
pub(crate) fn failed(error: RuntimeError) -> Outcome {
    Outcome::Failed(failure::of_runtime(&error))
}

/// The outcome of a failure that is neither the work's nor the runtime's.
pub(crate) fn internal(error: impl std::fmt::Display) -> Outcome {
    Outcome::Failed(failure::internal(&error))
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
