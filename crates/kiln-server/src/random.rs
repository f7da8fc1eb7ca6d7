//! Random bytes from the system, for keys and names.

use std::io;

use ring::rand::{SecureRandom, SystemRandom};

/// So many random bytes.
pub(crate) fn random(bytes: usize) -> io::Result<Vec<u8>> {
    let mut random = vec![0; bytes];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| io::Error::other("no random numbers"))?;
    Ok(random)
}

/// So many random characters of those that AWS's identifiers have.
pub(crate) fn letters(count: usize) -> io::Result<String> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bytes = random(count)?.into_iter();
    Ok(bytes
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect())
}
