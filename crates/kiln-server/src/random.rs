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
