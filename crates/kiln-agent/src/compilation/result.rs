//! Reads what the container has left: the artifact, and what it says of it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use blake2::{Blake2b512, Digest};

use super::task::{ARTIFACT, COMPILED, Findings};
use crate::left;

/// The longest account that is read, with room for the longest `DataInputConfig`.
const LONGEST_ACCOUNT: u64 = 64 << 10;
/// Read size.
const CHUNK: usize = 1 << 20;

/// The artifact, to be read from its beginning, its BLAKE2b digest in hexadecimal,
/// and what was found out. The digest is made here, of the very bytes that will be
/// stored.
///
/// # Errors
/// When one of the files is not there, or is not what it should be.
pub(super) async fn read(output: PathBuf) -> io::Result<(File, String, Findings)> {
    let reading = tokio::task::spawn_blocking(move || {
        let findings = findings(&output)?;
        let artifact = left::open(&output, ARTIFACT)?;
        let digest = digest(&artifact)?;
        Ok((artifact, digest, findings))
    });
    reading.await.map_err(io::Error::other)?
}

fn findings(output: &Path) -> io::Result<Findings> {
    let mut text = Vec::new();
    left::open(output, COMPILED)?
        .take(LONGEST_ACCOUNT)
        .read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn digest(mut file: &File) -> io::Result<String> {
    let mut hash = Blake2b512::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => hash.update(&chunk[..read]),
        }
    }
    file.rewind()?;
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_artifact_comes_with_its_digest_and_what_was_found() {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().to_owned();
        std::fs::write(output.join(ARTIFACT), "abc").unwrap();
        std::fs::write(
            output.join(COMPILED),
            r#"{"derived_data_input_config": "{}"}"#,
        )
        .unwrap();
        let (mut file, digest, findings) = read(output.clone()).await.unwrap();
        // The test vector of the BLAKE2 specification.
        assert!(digest.starts_with("ba80a53f981c4d0d6a2797b69f12f6e9"));
        assert_eq!(digest.len(), 128);
        assert_eq!(findings.derived_data_input_config.as_deref(), Some("{}"));
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        std::fs::remove_file(output.join(ARTIFACT)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", output.join(ARTIFACT)).unwrap();
        assert!(read(output).await.is_err());
    }
}
