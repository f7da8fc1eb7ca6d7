//! A container that the engine runs: waiting for its end, signals, removal.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerState;
use bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    WaitContainerOptions,
};
use futures::StreamExt as _;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::super::{Exit, Meter, Running, RuntimeError};
use super::cluster_network::{self, ClusterNetwork};
use super::usage::Statistics;
use super::{Flavour, failure, output, processes};

/// Between two looks at a container whose engine gave no answer.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a killed container may take to end before removal goes on anyway.
const DEATH_WITHIN: Duration = Duration::from_secs(10);
/// How long the engine may take to kill before it is done without the engine.
const KILL_WITHIN: Duration = Duration::from_secs(10);
const REMOVAL_ATTEMPTS: u32 = 5;
const KILLED: i64 = 137;

/// How the container ended, once it has; the error is for a container that
/// somebody else removed.
type Ending = Option<Result<Exit, String>>;

pub(super) struct EngineContainer {
    docker: Docker,
    engine_id: String,
    /// Removed after the container, unless a peer is in it.
    network: Option<Arc<ClusterNetwork>>,
    ending: watch::Receiver<Ending>,
    monitor: JoinHandle<()>,
    copier: JoinHandle<()>,
    removed: bool,
}

impl EngineContainer {
    /// Watches over a container that was started.
    pub(super) fn watch(
        docker: Docker,
        flavour: Flavour,
        engine_id: String,
        network: Option<Arc<ClusterNetwork>>,
        output: pipe::Sender,
    ) -> Self {
        let (ending_sender, ending) = watch::channel(None);
        let (ended_sender, ended) = watch::channel(false);
        let monitor = {
            let (docker, engine_id) = (docker.clone(), engine_id.clone());
            tokio::spawn(async move {
                let ending = await_ending(&docker, &engine_id).await;
                ending_sender.send_replace(Some(ending));
                ended_sender.send_replace(true);
            })
        };
        let log = output::Log {
            docker: docker.clone(),
            engine_id: engine_id.clone(),
            flavour,
        };
        let copier = tokio::spawn(output::copy(log, ended, output));
        Self {
            docker,
            engine_id,
            network,
            ending,
            monitor,
            copier,
            removed: false,
        }
    }

    async fn signal_through_engine(&self, signal: i32) -> Result<(), RuntimeError> {
        let options = KillContainerOptionsBuilder::default()
            .signal(&signal.to_string())
            .build();
        let kill = self.docker.kill_container(&self.engine_id, Some(options));
        let Err(error) = kill.await else {
            return Ok(());
        };
        // A container that has ended cannot be signalled and need not be.
        match look(&self.docker, &self.engine_id).await {
            Ok(None) | Err(LookError::NoAnswer(_)) => {
                Err(failure::machine("signalling the container", &error))
            }
            Ok(Some(_)) | Err(LookError::Removed) => Ok(()),
        }
    }

    /// Kills every process of the container. An engine that does not answer is
    /// not needed for that where its processes can be seen.
    async fn kill(&self) -> Result<(), RuntimeError> {
        let killed = timeout(KILL_WITHIN, self.signal_through_engine(libc::SIGKILL)).await;
        match killed {
            Ok(Ok(())) => Ok(()),
            _ if self.signal_processes(libc::SIGKILL).await > 0 => Ok(()),
            Ok(refused) => refused,
            Err(_) => Err(RuntimeError::Machine(
                "killing the container: the engine does not answer".to_owned(),
            )),
        }
    }

    /// Signals the container's processes and answers how many were reached.
    async fn signal_processes(&self, signal: i32) -> usize {
        let engine_id = self.engine_id.clone();
        let scan = move || processes::signal_all(&engine_id, signal).unwrap_or(0);
        tokio::task::spawn_blocking(scan).await.unwrap_or(0)
    }

    /// Sees to it that the container has ended and that its log was read, which
    /// goes with the container.
    async fn settle(&mut self) {
        if self.ending.borrow().is_none() {
            if let Err(error) = self.kill().await {
                tracing::warn!(%error, "a container is removed alive");
            }
            let dead = timeout(DEATH_WITHIN, self.ending.wait_for(Option::is_some)).await;
            if dead.is_err() {
                self.copier.abort();
            }
        }
        // It either ended or was aborted; both mean that nothing more comes.
        let _ = (&mut self.copier).await;
    }
}

#[async_trait]
impl Running for EngineContainer {
    async fn wait(&mut self) -> Result<Exit, RuntimeError> {
        let ending = self.ending.wait_for(Option::is_some).await;
        match ending.ok().and_then(|ending| (*ending).clone()) {
            Some(Ok(exit)) => Ok(exit),
            Some(Err(reason)) => Err(RuntimeError::Machine(reason)),
            None => Err(RuntimeError::Machine(
                "the container is no longer watched".to_owned(),
            )),
        }
    }

    /// Where this process cannot see the container's processes, because the
    /// engine runs on another machine or under another user, only the first
    /// process gets the signal. As everywhere, a first process that installed no
    /// handler does not notice SIGTERM.
    async fn signal(&self, signal: i32) -> Result<(), RuntimeError> {
        if signal == libc::SIGKILL {
            return self.kill().await;
        }
        if self.signal_processes(signal).await == 0 {
            return self.signal_through_engine(signal).await;
        }
        Ok(())
    }

    fn meter(&self) -> Option<Box<dyn Meter>> {
        let (docker, engine_id) = (self.docker.clone(), self.engine_id.clone());
        Some(Box::new(Statistics { docker, engine_id }))
    }

    /// Returns only after the output was read to its end or its reader has gone,
    /// because the engine deletes the log with the container.
    async fn remove(mut self: Box<Self>) -> Result<(), RuntimeError> {
        self.settle().await;
        remove_by_force(&self.docker, &self.engine_id).await?;
        self.removed = true;
        if let Some(network) = &self.network {
            cluster_network::remove(&self.docker, network.name()).await;
        }
        Ok(())
    }
}

impl Drop for EngineContainer {
    fn drop(&mut self) {
        self.monitor.abort();
        self.copier.abort();
        if self.removed {
            return;
        }
        // Outside of a runtime nothing can be sent; the next sweep removes it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (docker, engine_id) = (self.docker.clone(), self.engine_id.clone());
        let network = self.network.take();
        runtime.spawn(async move {
            if let Err(error) = remove_by_force(&docker, &engine_id).await {
                tracing::warn!(%error, "a container is left behind");
            }
            // Its network is free of it only now.
            drop(network);
        });
    }
}

/// Looks at the container until it has ended. The engine's `wait` only says when
/// to look: a connection that is lost while waiting is no exit.
async fn await_ending(docker: &Docker, engine_id: &str) -> Result<Exit, String> {
    loop {
        let told = docker
            .wait_container(engine_id, None::<WaitContainerOptions>)
            .next()
            .await;
        match look(docker, engine_id).await {
            Ok(Some(exit)) => return Ok(exit),
            Ok(None) => {}
            Err(LookError::Removed) => {
                return Err("somebody removed the container from the engine".to_owned());
            }
            Err(LookError::NoAnswer(reason)) => {
                tracing::warn!(reason, engine_id, ?told, "the engine does not answer");
            }
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Why nothing is known about a container.
enum LookError {
    Removed,
    NoAnswer(String),
}

/// How the container ended, if it has.
async fn look(docker: &Docker, engine_id: &str) -> Result<Option<Exit>, LookError> {
    let inspection = docker.inspect_container(engine_id, None::<InspectContainerOptions>);
    match inspection.await {
        Ok(found) => Ok(found.state.as_ref().and_then(exit_of)),
        Err(error) if failure::status(&error) == Some(404) => Err(LookError::Removed),
        Err(error) => Err(LookError::NoAnswer(failure::words(&error))),
    }
}

/// How a container in this state has ended. An engine reports a signal as a
/// shell would, as 128 and its number; a program that ends itself with such a
/// code cannot be told apart.
fn exit_of(state: &ContainerState) -> Option<Exit> {
    if state.running != Some(false) || state.restarting == Some(true) {
        return None;
    }
    let code = state.exit_code?;
    if code == KILLED && state.oom_killed == Some(true) {
        return Some(Exit::OutOfMemory);
    }
    let code = i32::try_from(code).unwrap_or(i32::MAX);
    Some(match code {
        129..=159 => Exit::Signal(code - 128),
        _ => Exit::Code(code),
    })
}

/// Removes a container with its anonymous volumes, in whatever state it is.
pub(super) async fn remove_by_force(docker: &Docker, engine_id: &str) -> Result<(), RuntimeError> {
    let options = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    let mut attempt = 1;
    loop {
        let removal = docker.remove_container(engine_id, Some(options.clone()));
        match removal.await {
            Ok(()) => return Ok(()),
            Err(error) if failure::status(&error) == Some(404) => return Ok(()),
            // One that let a whole request time out would do so again.
            Err(error @ Error::RequestTimeoutError) => {
                return Err(failure::machine("removing the container", &error));
            }
            // Busy with a removal that is under way, or not there at the moment.
            Err(_) if attempt < REMOVAL_ATTEMPTS => {
                sleep(LOOK_AGAIN * attempt).await;
                attempt += 1;
            }
            Err(error) => return Err(failure::machine("removing the container", &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_says_how_the_container_ended() {
        let cases = [
            (true, 0, false, None),
            (false, 0, false, Some(Exit::Code(0))),
            (false, 3, false, Some(Exit::Code(3))),
            (false, 1, true, Some(Exit::Code(1))),
            (false, 128, false, Some(Exit::Code(128))),
            (false, 137, false, Some(Exit::Signal(9))),
            (false, 137, true, Some(Exit::OutOfMemory)),
            (false, 143, false, Some(Exit::Signal(15))),
            (false, 255, false, Some(Exit::Code(255))),
        ];
        for (running, code, oom, expected) in cases {
            let state = ContainerState {
                running: Some(running),
                exit_code: Some(code),
                oom_killed: Some(oom),
                ..Default::default()
            };
            assert_eq!(exit_of(&state), expected, "{code}");
        }
        assert_eq!(exit_of(&ContainerState::default()), None);
    }
}
