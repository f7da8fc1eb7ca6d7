//! A fuzz target for the spool, whose last line a crash may have torn.

use crate::report::Report;
use crate::spool::{SPOOL_FILE, Spool, SpoolReader};

/// Bytes that follow sound reports, and bytes alone, are read or refused, and
/// take nothing from what was whole before them.
#[test]
fn spools() {
    bolero::check!()
        .with_iterations(500)
        .for_each(|torn: &[u8]| {
            let directory = tempfile::tempdir().unwrap();
            let spool = Spool::create(directory.path()).unwrap();
            spool.append([Report::Log("whole".to_owned())]).unwrap();
            let path = directory.path().join(SPOOL_FILE);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.extend_from_slice(torn);
            std::fs::write(&path, bytes).unwrap();
            let mut reader = SpoolReader::open(directory.path()).unwrap();
            let first = reader.read(1, usize::MAX).unwrap();
            assert_eq!(first.len(), 1);
            let _ = reader.read(usize::MAX, usize::MAX);
        });
}
