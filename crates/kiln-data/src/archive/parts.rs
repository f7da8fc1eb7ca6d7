//! Cuts what a writer writes into parts, on their way from the thread that
//! writes to the task that sends.

use std::io::{self, Write};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Bytes of the first parts; S3 allows no smaller than 5 MiB.
const PART: usize = 8 << 20;
/// S3 allows 10,000 parts: after every thousand, parts double in size.
const PARTS_PER_SIZE: usize = 1000;
/// The last size is 2 GiB, and S3 takes no more than 5.
const MOST_DOUBLINGS: usize = 8;

/// Collects what is written into parts and hands them on, waiting while the
/// store is slower than the compressor.
pub(super) struct Parts {
    made: mpsc::Sender<Bytes>,
    buffer: Vec<u8>,
    sent: usize,
}

impl Parts {
    pub fn new(made: mpsc::Sender<Bytes>) -> Self {
        Self {
            made,
            buffer: Vec::new(),
            sent: 0,
        }
    }

    /// Hands on what is left.
    pub fn finish(mut self) -> io::Result<()> {
        match self.buffer.is_empty() {
            true => Ok(()),
            false => self.send(),
        }
    }

    fn part_size(&self) -> usize {
        PART << (self.sent / PARTS_PER_SIZE).min(MOST_DOUBLINGS)
    }

    fn send(&mut self) -> io::Result<()> {
        let body = Bytes::from(std::mem::take(&mut self.buffer));
        self.sent += 1;
        let sent = self.made.blocking_send(body);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = self.part_size();
        let taken = bytes.len().min(size - self.buffer.len());
        // A buffer that grew by doubling would take up to twice its size.
        if self.buffer.capacity() < size && self.buffer.len() + taken > size / 4 {
            self.buffer.reserve_exact(size - self.buffer.len());
        }
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == size {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(data: &[u8]) -> Vec<Bytes> {
        let (made, mut parts) = mpsc::channel(64);
        let mut writer = Parts::new(made);
        writer.write_all(data).unwrap();
        writer.finish().unwrap();
        std::iter::from_fn(|| parts.blocking_recv()).collect()
    }

    #[test]
    fn parts_add_up_to_what_was_written() {
        for length in [0, 5, PART, PART * 2 + 5] {
            let data: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let parts = parts_of(&data);
            assert_eq!(parts.len(), length.div_ceil(PART));
            assert!(parts.concat() == data, "{length}");
        }
    }

    #[test]
    fn all_parts_that_s3_allows_hold_what_it_allows() {
        let size = |sent| {
            let (made, _) = mpsc::channel(1);
            let mut parts = Parts::new(made);
            parts.sent = sent;
            parts.part_size() as u64
        };
        let whole: u64 = (0..10_000).map(size).sum();
        assert!(whole > 5 << 40 && size(9_999) < 5 << 30);
    }

    #[test]
    fn a_store_that_has_gone_ends_the_writing() {
        let (made, parts) = mpsc::channel(1);
        drop(parts);
        let error = Parts::new(made).write_all(&vec![0; PART]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
