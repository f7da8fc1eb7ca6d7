//! The bytes that are moved, the same in every run.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

const BLOCK: usize = 1 << 20;
const WORDS: [&str; 16] = [
    "loss",
    "epoch",
    "0.693147",
    "accuracy",
    "step",
    "\n",
    "learning_rate",
    "1e-4",
    "batch",
    "validation",
    "0.25",
    "gradient",
    "weight",
    "layer",
    "{}",
    "train",
];

/// A generator of bytes that do not compress (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn block(&mut self) -> Vec<u8> {
        let mut block = Vec::with_capacity(BLOCK);
        while block.len() < BLOCK {
            block.extend_from_slice(&self.next().to_le_bytes());
        }
        block
    }

    fn text(&mut self) -> Vec<u8> {
        let mut text = Vec::with_capacity(BLOCK + 16);
        while text.len() < BLOCK {
            let word = WORDS[(self.next() >> 60) as usize];
            text.extend_from_slice(word.as_bytes());
            text.push(b' ');
        }
        text.truncate(BLOCK);
        text
    }
}

/// Writes a file that does not compress.
pub fn noise(path: &Path, bytes: u64) -> std::io::Result<()> {
    write(path, bytes, 1, |noise, _| noise.block())
}

/// Writes a file whose first half does not compress, and whose second is text.
pub fn mixed(path: &Path, bytes: u64) -> std::io::Result<()> {
    write(path, bytes, 2, |noise, at| match at < bytes / 2 {
        true => noise.block(),
        false => noise.text(),
    })
}

/// Makes a directory of so many files that do not compress.
pub fn many(directory: &Path, count: usize, bytes: u64) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    (0..count).try_for_each(|n| {
        let path = directory.join(format!("{n:06}"));
        write(&path, bytes, 3 + n as u64, |noise, _| noise.block())
    })
}

fn write(
    path: &Path,
    bytes: u64,
    seed: u64,
    block: impl Fn(&mut Noise, u64) -> Vec<u8>,
) -> std::io::Result<()> {
    let mut noise = Noise(seed);
    let mut file = BufWriter::new(File::create(path)?);
    let mut at = 0;
    while at < bytes {
        let block = block(&mut noise, at);
        let length = (bytes - at).min(block.len() as u64);
        file.write_all(&block[..length as usize])?;
        at += length;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_as_long_as_asked_and_the_same_every_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        mixed(&path("a"), 3 << 20).unwrap();
        mixed(&path("b"), 3 << 20).unwrap();
        many(&path("many"), 2, 70).unwrap();
        let bytes = |name: &str| std::fs::read(path(name)).unwrap();
        assert_eq!(bytes("a").len(), 3 << 20);
        assert!(bytes("a") == bytes("b"));
        assert_eq!(bytes("many/000000").len(), 70);
        assert_ne!(bytes("many/000000"), bytes("many/000001"));
        assert!(bytes("a").is_ascii() != bytes("a")[2 << 20..].is_ascii());
    }
}
