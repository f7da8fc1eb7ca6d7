//! Whether there is room for what will be written, whose size is known beforehand.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::OptimizeError;
use crate::report::size;

/// Makes sure that a result of so many bytes fits where a directory is.
pub fn check(output: &Path, result: u64) -> Result<(), OptimizeError> {
    fits("the optimized model has", result, free(output)?)
}

/// Makes sure that what a calibration keeps in the one directory fits besides the result,
/// which goes to the other.
pub fn check_both(
    (scratch, kept): (&Path, u64),
    (output, result): (&Path, u64),
) -> Result<(), OptimizeError> {
    if device(scratch)? == device(output)? {
        let what = "the optimized model and what its calibration keeps have";
        return fits(what, result.saturating_add(kept), free(output)?);
    }
    check(output, result)?;
    fits("what the calibration keeps has", kept, free(scratch)?)
}

fn free(directory: &Path) -> Result<u64, OptimizeError> {
    let disk = statvfs(directory)
        .map_err(|errno| OptimizeError::read(directory)(std::io::Error::from(errno)))?;
    Ok(disk.blocks_available() * disk.fragment_size())
}

fn device(directory: &Path) -> Result<u64, OptimizeError> {
    let found = fs::metadata(directory).map_err(OptimizeError::read(directory))?;
    Ok(found.dev())
}

fn fits(what: &'static str, needed: u64, free: u64) -> Result<(), OptimizeError> {
    if needed <= free {
        return Ok(());
    }
    Err(OptimizeError::Space {
        what,
        needed: size(needed),
        free: size(free),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_fits_or_not() {
        let what = "the optimized model has";
        assert!(fits(what, 10, 10).is_ok());
        let refused = fits(what, 2_000_000_000, 1_500_000).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "ClientError: the optimized model has 2.00 GB, and 1.50 MB are left on this disk"
        );
        assert!(check(&std::env::temp_dir(), 1).is_ok());
        assert!(check(&std::env::temp_dir(), u64::MAX).is_err());
    }

    #[test]
    fn what_is_kept_needs_room_too() {
        let place = std::env::temp_dir();
        let half = free(&place).unwrap() / 2;
        assert!(check_both((&place, 1), (&place, 1)).is_ok());
        let refused = check_both((&place, half * 3 / 2), (&place, half * 3 / 2)).unwrap_err();
        let said = refused.to_string();
        assert!(
            said.starts_with("ClientError: the optimized model and what its calibration keeps"),
            "{said}"
        );
        assert!(check_both((&place, u64::MAX), (Path::new("/dev/shm"), 1)).is_err());
    }
}
