//! Digests of files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use blake2b_simd::State;

use super::document::FileReport;

/// How much of a file is looked at in one go.
const PART: usize = 256 * 1024;

/// The size of a file, and its digest as `b2sum` prints it.
///
/// # Errors
/// When the file cannot be read.
pub fn digest(path: &Path) -> io::Result<FileReport> {
    let mut file = File::open(path)?;
    let mut hash = State::new();
    let mut part = vec![0; PART];
    let mut bytes = 0;
    loop {
        match file.read(&mut part)? {
            0 => break,
            read => {
                hash.update(&part[..read]);
                bytes += read as u64;
            }
        }
    }
    Ok(FileReport {
        bytes,
        blake2b: hash.finalize().to_hex().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_one_that_b2sum_prints() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "abc").unwrap();
        let found = digest(&path).unwrap();
        assert_eq!(found.bytes, 3);
        assert!(
            found
                .blake2b
                .starts_with("ba80a53f981c4d0d6a2797b69f12f6e9")
        );
        assert_eq!(found.blake2b.len(), 128);
    }
}
