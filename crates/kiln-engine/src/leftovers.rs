//! What an agent wrote down before it was gone, read in pieces: a spool may be
//! larger than memory.

use kiln_agent::report::Numbered;
use kiln_agent::spool::SpoolReader;

/// One piece has at most this many reports and about this many bytes.
const PIECE: usize = 2000;
const PIECE_BYTES: usize = 1 << 20;

/// Reports of an agent that is gone, in order, piece by piece.
#[derive(Debug)]
pub struct Leftovers {
    spool: Option<SpoolReader>,
    after: u64,
}

impl Leftovers {
    /// Nothing is left.
    #[must_use]
    pub fn none() -> Self {
        Self {
            spool: None,
            after: 0,
        }
    }

    /// What a spool holds above the report numbered `after`.
    #[must_use]
    pub fn above(after: u64, spool: SpoolReader) -> Self {
        Self {
            spool: Some(spool),
            after,
        }
    }
}

impl Iterator for Leftovers {
    type Item = Vec<Numbered>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut piece = match self.spool.as_mut()?.read(PIECE, PIECE_BYTES) {
                Ok(piece) => piece,
                // A machine that lost power may leave garbage at the end.
                Err(error) => {
                    tracing::warn!(%error, "an agent's spool ends in something unreadable");
                    self.spool = None;
                    return None;
                }
            };
            if piece.is_empty() {
                self.spool = None;
                return None;
            }
            piece.retain(|report| report.n > self.after);
            if !piece.is_empty() {
                return Some(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use kiln_agent::report::Report;
    use kiln_agent::spool::{SPOOL_FILE, Spool};

    use super::*;

    #[test]
    fn a_long_spool_comes_in_pieces_and_ends_where_it_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::create(directory.path()).unwrap();
        let line = "x".repeat(1000);
        for _ in 0..50 {
            let lines = (0..100).map(|_| Report::Log(line.clone()));
            spool.append(lines).unwrap();
        }
        let raw = std::fs::File::options()
            .append(true)
            .open(directory.path().join(SPOOL_FILE));
        raw.unwrap().write_all(b"garbage\n").unwrap();
        let reader = SpoolReader::open(directory.path()).unwrap();
        let pieces: Vec<_> = Leftovers::above(1990, reader).collect();
        let largest = pieces.iter().map(Vec::len).max().unwrap();
        assert!(pieces.len() > 2 && largest <= 1100, "{largest}");
        let numbers = pieces.iter().flatten().map(|report| report.n);
        assert_eq!(Vec::from_iter(numbers), Vec::from_iter(1991..=5000));
    }
}
