//! Whether there is room for a result whose size is known beforehand.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::OptimizeError;
use crate::report::size;

/// Makes sure that so many bytes fit where a directory is.
pub fn check(directory: &Path, needed: u64) -> Result<(), OptimizeError> {
    let disk = statvfs(directory)
        .map_err(|errno| OptimizeError::read(directory)(std::io::Error::from(errno)))?;
    fits(needed, disk.blocks_available() * disk.fragment_size())
}

fn fits(needed: u64, free: u64) -> Result<(), OptimizeError> {
    if needed <= free {
        return Ok(());
    }
    Err(OptimizeError::Space {
        needed: size(needed),
        free: size(free),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_fits_or_not() {
        assert!(fits(10, 10).is_ok());
        let refused = fits(2_000_000_000, 1_500_000).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "ClientError: the optimized model has 2.00 GB, and 1.50 MB are left on this disk"
        );
        assert!(check(&std::env::temp_dir(), 1).is_ok());
        assert!(check(&std::env::temp_dir(), u64::MAX).is_err());
    }
}
