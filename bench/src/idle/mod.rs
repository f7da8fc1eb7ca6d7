//! What a server costs that has nothing to do, with many ended jobs behind it,
//! how fast it finds among them, and whether a long queue slows down the jobs at
//! its head.

mod pages;
mod past;
mod queue;
mod table;
mod usage;

use std::time::{Duration, Instant};

use serde_json::json;

use self::pages::Page;
use self::queue::Queue;
use self::usage::Usage;
use crate::client::Client;
use crate::error::BenchError;
use crate::latency::BUCKET;
use crate::options::Options;
use crate::server::Kiln;

/// What follows from a server's start may take so long, and is not idleness.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Everything that was measured, on one server.
#[derive(Debug, Clone)]
pub struct Idle {
    /// How many jobs have ended there.
    pub jobs: usize,
    /// From the start of a server with these jobs to its first answer.
    pub ready: Duration,
    /// The server that was there while the jobs came and ended.
    pub busy_before: Rest,
    /// A server that found them when it started.
    pub fresh: Rest,
    /// First pages over all jobs.
    pub pages: Vec<Page>,
    /// The heads of queues, the shortest queue first.
    pub queues: Vec<Queue>,
}

/// A while in which a server had nothing to do.
#[derive(Debug, Clone)]
pub struct Rest {
    /// How long it was.
    pub lasted: Duration,
    /// What the server had used when it began.
    pub before: Usage,
    /// What it had used when it was over.
    pub after: Usage,
}

/// Fills a server, has it rest, starts it anew, and has it rest and then work.
pub fn measure(options: &Options) -> Result<Idle, BenchError> {
    let mut kiln = Kiln::start(options)?;
    Client::new(kiln.endpoint()).put(&format!("/{BUCKET}"), b"")?;
    past::make(kiln.endpoint(), options.ended_jobs())?;
    let busy_before = rest(&kiln, options)?;
    let started = kiln.restart()?;
    Client::new(kiln.endpoint()).sagemaker("ListTrainingJobs", &json!({}))?;
    let ready = started.elapsed();
    let fresh = rest(&kiln, options)?;
    let pages = pages::measure(kiln.endpoint(), options.asked_pages())?;
    let lengths = options.queue_lengths().into_iter();
    let queues = lengths.map(|length| queue::measure(&kiln, length, options.started_jobs()));
    Ok(Idle {
        jobs: options.ended_jobs(),
        ready,
        busy_before,
        fresh,
        pages,
        queues: queues.collect::<Result<_, _>>()?,
    })
}

fn rest(kiln: &Kiln, options: &Options) -> Result<Rest, BenchError> {
    std::thread::sleep(SETTLED_AFTER);
    let (begun, before) = (Instant::now(), Usage::of(kiln.process())?);
    std::thread::sleep(options.rest());
    Ok(Rest {
        after: Usage::of(kiln.process())?,
        lasted: begun.elapsed(),
        before,
    })
}
