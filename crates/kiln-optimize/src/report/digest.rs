//! Digests of files, by BLAKE2sp: eight BLAKE2s side by side, which takes a third of the
//! processor time of the one BLAKE2b that `b2sum` computes. 7-Zip knows it, and so does any
//! program with BLAKE2s and its parameters, as Python.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use blake2s_simd::blake2sp::State;

#[cfg(target_arch = "x86_64")]
use super::blake2sp::Blake2sp;
use super::document::FileReport;

/// How much of a file is looked at in one go.
const PART: usize = 256 * 1024;

/// The size of a file, and its digest as `7z h -scrcBLAKE2sp` prints it.
///
/// # Errors
/// When the file cannot be read.
pub fn digest(path: &Path) -> io::Result<FileReport> {
    let mut file = File::open(path)?;
    let mut digester = Digester::default();
    let mut part = vec![0; PART];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(digester.report()),
            read => digester.update(&part[..read]),
        }
    }
}

/// Digests a file's bytes as they pass by, from the first to the last.
#[derive(Debug)]
pub(crate) struct Digester {
    state: Digesting,
    bytes: u64,
}

/// By which instructions it is done.
#[derive(Debug)]
enum Digesting {
    #[cfg(target_arch = "x86_64")]
    Avx512(Box<Blake2sp>),
    Any(Box<State>),
}

impl Default for Digester {
    fn default() -> Self {
        #[cfg(target_arch = "x86_64")]
        let state = Blake2sp::new().map(|state| Digesting::Avx512(Box::new(state)));
        #[cfg(not(target_arch = "x86_64"))]
        let state = None;
        Self {
            state: state.unwrap_or_else(|| Digesting::Any(Box::new(State::new()))),
            bytes: 0,
        }
    }
}

impl Digester {
    /// Takes the bytes that come next.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            #[cfg(target_arch = "x86_64")]
            Digesting::Avx512(state) => state.update(bytes),
            Digesting::Any(state) => {
                state.update(bytes);
            }
        }
        self.bytes += bytes.len() as u64;
    }

    /// What a file with the bytes so far is.
    pub(crate) fn report(&self) -> FileReport {
        let digest = match &self.state {
            #[cfg(target_arch = "x86_64")]
            Digesting::Avx512(state) => state.finalize(),
            Digesting::Any(state) => state.finalize(),
        };
        FileReport {
            bytes: self.bytes,
            blake2sp: digest.to_hex().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What Python's hashlib makes of them, with the parameters of BLAKE2sp.
    const EMPTY: &str = "dd0e891776933f43c7d032b08a917e25741f8aa9a12c12e1cac8801500f2ca4f";
    const SHORT: &str = "70f75b58f1fecab821db43c88ad84edde5a52600616cd22517b7bb14d440a7d5";
    const LONG: &str = "6b905e99d29215fe8cb46b67b575c8f6629462a9faaac9a996a7bf08084c64d3";

    #[test]
    fn a_digest_is_the_one_that_others_print() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (content, expected) in [
            ("abc".repeat(0), EMPTY),
            ("abc".to_owned(), SHORT),
            ("abc".repeat(100_000), LONG),
        ] {
            std::fs::write(&path, &content).unwrap();
            let found = digest(&path).unwrap();
            assert_eq!(found.bytes, content.len() as u64);
            assert_eq!(found.blake2sp, expected);
        }
    }
}
