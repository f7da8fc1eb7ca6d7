//! Leads a container's connections to the control plane, whichever runtime runs it.
//!
//! The control plane listens on the host's loopback interface, which no container
//! can reach, and may come back on another port after a restart.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{ControlAddress, relay};

/// How long a connection waits for a server that is restarting.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Accepts for as long as it is polled, at most so many connections at a time.
/// What is over the limit waits in the kernel's queue.
pub(super) async fn serve(listener: TcpListener, control: ControlAddress, most: usize) {
    let slots = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((inside, _)) => {
                let control = control.clone();
                connections.spawn(async move {
                    forward(inside, &control).await;
                    drop(slot);
                });
            }
            // Out of file descriptors, most likely; some will be closed.
            Err(error) => {
                tracing::debug!(%error, "a container's connection could not be accepted");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(inside: TcpStream, control: &ControlAddress) {
    match reach(control).await {
        Ok(outside) => relay::relay(inside, outside).await,
        // A container may try as often as it likes, and the log must not grow with it.
        Err(error) => tracing::debug!(%error, "the server cannot be reached for a container"),
    }
}

/// The address is looked up for every attempt, since a server may come back on
/// another port.
async fn reach(control: &ControlAddress) -> io::Result<TcpStream> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let attempt = match control.current() {
            Ok(address) => TcpStream::connect(address).await,
            Err(error) => Err(error),
        };
        match attempt {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(RETRY_AFTER).await,
            settled => return settled,
        }
    }
}
