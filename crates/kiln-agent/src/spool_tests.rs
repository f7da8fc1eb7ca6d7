//! Spools that are torn, that are given back to the disk, and that find it full.

use super::*;

#[test]
fn reports_are_read_back_in_order_and_a_torn_line_waits() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::create(directory.path()).unwrap();
    let log = |n: u64| Report::Log(format!("line {n}"));
    spool.append((1..=5).map(log)).unwrap();
    let mut reader = SpoolReader::open(directory.path()).unwrap();
    let numbers = |reports: Vec<Numbered>| reports.iter().map(|r| r.n).collect::<Vec<_>>();
    assert_eq!(numbers(reader.read(3, 1 << 20).unwrap()), [1, 2, 3]);
    let mut raw = File::options()
        .append(true)
        .open(directory.path().join(SPOOL_FILE))
        .unwrap();
    raw.write_all(b"{\"n\":6,").unwrap();
    assert_eq!(numbers(reader.read(9, 1 << 20).unwrap()), [4, 5]);
    raw.write_all(b"\"at\":1,\"report\":{\"log\":\"x\"}}\n")
        .unwrap();
    assert_eq!(numbers(reader.read(9, 1 << 20).unwrap()), [6]);
}

#[test]
fn what_is_too_long_for_a_report_is_not_read_into_memory() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::create(directory.path()).unwrap();
    spool.append([Report::Log("line".to_owned())]).unwrap();
    // As a crash may leave it: a hole of zeros, which takes no room.
    let raw = File::options()
        .append(true)
        .open(directory.path().join(SPOOL_FILE));
    raw.unwrap().set_len(1 << 40).unwrap();
    let mut reader = SpoolReader::open(directory.path()).unwrap();
    assert_eq!(reader.read(9, 1 << 20).unwrap().len(), 1);
    let error = reader.read(9, 1 << 20).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn what_was_delivered_takes_no_room_and_the_rest_is_still_found() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::create(directory.path()).unwrap();
    let line = "x".repeat(100_000);
    let count = 400;
    spool
        .append((0..count).map(|_| Report::Log(line.clone())))
        .unwrap();
    let mut reader = SpoolReader::open(directory.path()).unwrap();
    let before = reader.read(count, usize::MAX >> 1).unwrap();
    assert_eq!(before.len(), count);
    if reader.release().is_err() {
        // Not every file system knows of holes.
        return;
    }
    spool.append([Report::Log("last".to_owned())]).unwrap();
    assert_eq!(reader.read(9, READ).unwrap()[0].n, count as u64 + 1);

    let held = File::open(directory.path().join(SPOOL_FILE)).unwrap();
    let held = held.metadata().unwrap();
    assert!(held.blocks() * 512 <= held.len() - 2 * PIECE + READ as u64);
    let mut another = SpoolReader::open(directory.path()).unwrap();
    let left = another.read(count, usize::MAX >> 1).unwrap();
    assert!(left[0].n > 300 && left.len() as u64 == count as u64 + 2 - left[0].n);
    assert_eq!(left.last().unwrap().report, Report::Log("last".to_owned()));
}

/// A directory on a disk of a few pages, which only this thread sees.
fn small_disk(directory: &Path) {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    const NOTHING: Option<&str> = None;
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(NOTHING, "/", NOTHING, private, NOTHING).unwrap();
    let size = Some("size=32k");
    mount(
        Some("disk"),
        directory,
        Some("tmpfs"),
        MsFlags::empty(),
        size,
    )
    .unwrap();
}

#[test]
fn a_full_disk_costs_the_reports_that_find_no_room_and_no_others() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    small_disk(directory.path());
    let filler = directory.path().join("filler");
    std::fs::write(&filler, vec![0; 20 << 10]).unwrap();
    let spool = Spool::create(directory.path()).unwrap();
    let log = |text: &str| Report::Log(text.to_owned());
    let long = "x".repeat(3000);
    spool.append([log("first")]).unwrap();
    let refused = spool.append((0..9).map(|_| log(&long))).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    let whole = *spool.watch().borrow();
    assert!((2..10).contains(&whole), "{whole}");

    std::fs::remove_file(&filler).unwrap();
    spool.append([log("last")]).unwrap();
    let mut reader = SpoolReader::open(directory.path()).unwrap();
    let read = reader.read(100, 1 << 20).unwrap();
    let numbers: Vec<u64> = read.iter().map(|report| report.n).collect();
    assert_eq!(numbers, Vec::from_iter(1..=whole + 1));
    assert_eq!(read.last().unwrap().report, log("last"));
}

#[test]
fn a_spool_goes_on_where_it_was_left() {
    let directory = tempfile::tempdir().unwrap();
    let log = |text: &str| Report::Log(text.to_owned());
    let (spool, past) = Spool::resume(directory.path(), 0).unwrap();
    assert_eq!(past, Past::default());
    spool.append([log("a"), log("b")]).unwrap();
    drop(spool);
    let path = directory.path().join(SPOOL_FILE);
    let torn = File::options().append(true).open(&path);
    torn.unwrap().write_all(b"{\"n\":3,\"at\"").unwrap();
    let (spool, past) = Spool::resume(directory.path(), 0).unwrap();
    assert_eq!((past.has_begun, past.has_ended), (true, false));
    assert_eq!(*spool.watch().borrow(), 2);
    let ending = crate::report::Ending {
        outcome: crate::report::Outcome::Completed,
        stored: true,
    };
    spool.append([Report::Ended(ending)]).unwrap();
    let mut reader = SpoolReader::open(directory.path()).unwrap();
    let read = reader.read(9, 1 << 20).unwrap();
    let numbers: Vec<u64> = read.iter().map(|report| report.n).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(Spool::resume(directory.path(), 0).unwrap().1.has_ended);
}

#[test]
fn a_spool_whose_beginning_was_given_back_knows_its_last_number() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::create(directory.path()).unwrap();
    let line = "x".repeat(3 << 20);
    for n in 1..=12 {
        spool.append([Report::Log(line.clone())]).unwrap();
        let mut reader = SpoolReader::open(directory.path()).unwrap();
        while !reader.read(99, usize::MAX >> 1).unwrap().is_empty() {}
        if reader.release().is_err() {
            return;
        }
        let (resumed, _) = Spool::resume(directory.path(), 0).unwrap();
        assert_eq!(*resumed.watch().borrow(), n);
    }
}

#[test]
fn an_instance_has_one_spool() {
    let directory = tempfile::tempdir().unwrap();
    let _spool = Spool::create(directory.path()).unwrap();
    assert!(Spool::create(directory.path()).is_err());
}

#[test]
fn numbers_go_on_above_those_that_are_known() {
    let directory = tempfile::tempdir().unwrap();
    let log = |text: &str| Report::Log(text.to_owned());
    Spool::create(directory.path())
        .unwrap()
        .append([log("a")])
        .unwrap();
    let (spool, _) = Spool::resume(directory.path(), 7).unwrap();
    spool.append([log("b")]).unwrap();
    assert_eq!(*spool.watch().borrow(), 8);
    std::fs::remove_file(directory.path().join(SPOOL_FILE)).unwrap();
    let (spool, _) = Spool::resume(directory.path(), 8).unwrap();
    spool.append([log("c")]).unwrap();
    assert_eq!(*spool.watch().borrow(), 9);
}
