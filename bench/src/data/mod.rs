//! How fast a job's data moves: channels in every mode and archives of outputs,
//! beside the tools that people use for the same.
//!
//! All files were just written, so they are read from the page cache, by Kiln
//! and by its peers alike.

mod archives;
mod channels;
mod clients;
mod job;
mod material;
mod table;
mod turns;

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use self::clients::Clients;
use self::job::Jobs;
use crate::client::Client;
use crate::error::BenchError;
use crate::latency::BUCKET;
use crate::options::{Move, Options};
use crate::server::Kiln;

/// Everything that was measured.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// Bytes that went somewhere.
    pub transfers: Vec<Transfer>,
    /// From opening a long object in FastFile mode to its first byte.
    pub first_byte: Option<(u64, Duration)>,
}

/// The same bytes moved by Kiln and by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What was moved.
    pub what: String,
    /// How much.
    pub bytes: u64,
    /// How long Kiln took.
    pub kiln: Duration,
    /// How long others took, and what Kiln aims at beside them.
    pub peers: Vec<Peer>,
}

/// What another tool took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The tool.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// Kiln's speed over the tool's should be at least this, in per cent.
    pub target: Option<u32>,
}

/// What everything here needs.
struct Bench<'o> {
    options: &'o Options,
    kiln: &'o Kiln,
    clients: Clients<'o>,
    /// The material, and places for what peers make of it.
    directory: TempDir,
}

impl Bench<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn jobs(&self, name: &'static str) -> Jobs {
        Jobs::new(Client::new(self.kiln.endpoint()), name)
    }
}

/// Moves data.
pub fn measure(options: &Options) -> Result<Data, BenchError> {
    let kiln = Kiln::start(options)?;
    Client::new(kiln.endpoint()).put(&format!("/{BUCKET}"), b"")?;
    let making = BenchError::io("making a directory");
    let bench = Bench {
        options,
        kiln: &kiln,
        clients: Clients::new(options, kiln.endpoint()),
        directory: TempDir::with_prefix("kiln-bench-data-").map_err(making)?,
    };
    let mut transfers = channels::measure(&bench)?;
    let first_byte = options
        .moves(Move::FirstByte)
        .then(|| channels::first_byte(&bench))
        .transpose()?;
    if options.moves(Move::Archive) {
        transfers.push(archives::measure(&bench)?);
    }
    Ok(Data {
        transfers,
        first_byte,
    })
}
