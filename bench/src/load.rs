//! The load generator: prepared requests, a few keep-alive connections, a fixed
//! time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::Endpoint;
use crate::error::BenchError;
use crate::http::Connection;
use crate::samples::Samples;

/// Connections that send at the same time.
const CONNECTIONS: usize = 8;

/// What came of a load.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// How long each answer took.
    pub latencies: Samples,
    /// How long it all took.
    pub elapsed: Duration,
}

impl Load {
    /// Answers a second.
    pub fn per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.latencies.count() as f64 / seconds
        } else {
            0.0
        }
    }
}

/// Sends the requests in turn, over and over, for as long as given. Any answer
/// but 200 is an error.
pub fn repeat(
    endpoint: &Endpoint,
    requests: &[Vec<u8>],
    time: Duration,
) -> Result<Load, BenchError> {
    let deadline = Instant::now() + time;
    run(endpoint, requests, |n| {
        (Instant::now() < deadline).then_some(n % requests.len())
    })
}

/// Sends each request once.
pub fn once(endpoint: &Endpoint, requests: &[Vec<u8>]) -> Result<Load, BenchError> {
    run(endpoint, requests, |n| (n < requests.len()).then_some(n))
}

/// Sends what `choose` says, which is asked with 0, 1, 2… until it answers none.
fn run(
    endpoint: &Endpoint,
    requests: &[Vec<u8>],
    choose: impl Fn(usize) -> Option<usize> + Sync,
) -> Result<Load, BenchError> {
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    let latencies = std::thread::scope(|scope| {
        let work = || {
            send(endpoint, || {
                let chosen = choose(next.fetch_add(1, Ordering::Relaxed))?;
                requests.get(chosen).map(Vec::as_slice)
            })
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    Ok(Load {
        elapsed: begun.elapsed(),
        latencies: latencies.into_iter().flatten().collect(),
    })
}

/// One connection's part.
fn send<'a>(
    endpoint: &Endpoint,
    next: impl Fn() -> Option<&'a [u8]>,
) -> Result<Vec<Duration>, BenchError> {
    let mut connection = Connection::new(endpoint.address);
    let mut latencies = Vec::new();
    while let Some(request) = next() {
        let sent = Instant::now();
        let answer = connection.exchange(request)?;
        latencies.push(sent.elapsed());
        if answer.status != 200 {
            return Err(BenchError::Refused {
                operation: "a request under load".to_owned(),
                status: answer.status,
                body: String::from_utf8_lossy(&answer.body).into_owned(),
            });
        }
    }
    Ok(latencies)
}
