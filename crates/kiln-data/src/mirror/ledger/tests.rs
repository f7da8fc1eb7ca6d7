//! Sequences of scans, and what they ask for.

use proptest::prelude::*;

use super::*;

fn stamp(version: u64) -> Stamp {
    Stamp {
        size: version,
        inode: 1,
        modified: (0, 0),
        changed: (0, 0),
    }
}

fn scan(files: &[(&str, u64)]) -> Scan {
    Scan {
        files: files
            .iter()
            .map(|(path, version)| (path.into(), stamp(*version)))
            .collect(),
        unseen: Vec::new(),
    }
}

/// Takes a scan, does all it asks for, and says what that was.
fn round(ledger: &mut Ledger, scan: &Scan, haste: Haste) -> Vec<String> {
    let actions = ledger.take(scan, haste, true);
    let mut done = Vec::new();
    for upload in &actions.upload {
        ledger.begun(&upload.path);
        ledger.stored(upload);
        let moving = if upload.settled { "" } else { " moving" };
        done.push(format!("+{}{moving}", upload.path.display()));
    }
    for path in &actions.delete {
        ledger.deleted(path);
        done.push(format!("-{}", path.display()));
    }
    done
}

/// What is in the directory, and what is done then.
type Case = (&'static [(&'static str, u64)], &'static [&'static str]);

#[test]
fn what_holds_still_is_stored_once() {
    let mut ledger = Ledger::default();
    let cases: [Case; 9] = [
        (&[], &[]),
        (&[("a", 1)], &[]),
        (&[("a", 2), ("b", 1)], &[]),
        (&[("a", 2), ("b", 1)], &["+a", "+b"]),
        (&[("a", 2), ("b", 1)], &[]),
        (&[("a", 3), ("b", 1)], &[]),
        (&[("a", 3)], &["+a", "-b"]),
        (&[("b", 1)], &["-a"]),
        (&[("b", 1)], &["+b"]),
    ];
    for (number, (files, expected)) in cases.into_iter().enumerate() {
        let done = round(&mut ledger, &scan(files), Haste::Steady);
        assert_eq!(done, expected, "scan {number}");
    }
}

#[test]
fn what_never_holds_still_is_stored_now_and_then_and_again_when_it_does() {
    let mut ledger = Ledger::default();
    let mut versions = 0..;
    let mut moving = || scan(&[("log", versions.next().unwrap())]);
    for _ in 0..MOST_MOVING {
        assert!(round(&mut ledger, &moving(), Haste::Steady).is_empty());
    }
    let last = moving();
    assert_eq!(round(&mut ledger, &last, Haste::Steady), ["+log moving"]);
    assert_eq!(round(&mut ledger, &last, Haste::Steady), ["+log"]);
    assert!(round(&mut ledger, &last, Haste::Last).is_empty());
}

#[test]
fn the_last_round_waits_for_nothing() {
    let mut ledger = Ledger::default();
    let files = scan(&[("a", 1)]);
    assert_eq!(round(&mut ledger, &files, Haste::Last), ["+a"]);
}

#[test]
fn what_failed_is_tried_in_the_next_round_and_then_ever_more_rarely() {
    let mut ledger = Ledger::default();
    let files = scan(&[("a", 1)]);
    let tried: Vec<usize> = (0..40)
        .filter(|_| {
            let due = ledger.take(&files, Haste::Steady, true).upload;
            due.iter().for_each(|upload| ledger.failed(&upload.path));
            !due.is_empty()
        })
        .collect();
    assert_eq!(tried, [1, 2, 4, 8, 16, 32]);
    assert_eq!(round(&mut ledger, &files, Haste::Last), ["+a"]);
}

#[test]
fn what_was_restored_is_not_stored_again_and_goes_when_it_vanishes() {
    let mut ledger = Ledger::default();
    ledger.restored("a".into(), stamp(1));
    assert!(round(&mut ledger, &scan(&[("a", 1)]), Haste::Last).is_empty());
    assert_eq!(round(&mut ledger, &scan(&[]), Haste::Steady), ["-a"]);
}

#[test]
fn what_nobody_could_see_is_left_as_it_is() {
    let mut ledger = Ledger::default();
    round(&mut ledger, &scan(&[("d/a", 1), ("da", 1)]), Haste::Last);
    let mut hidden = scan(&[]);
    hidden.unseen.push("d".into());
    assert_eq!(round(&mut ledger, &hidden, Haste::Last), ["-da"]);
}

#[test]
fn without_deletes_objects_stay() {
    let mut ledger = Ledger::default();
    round(&mut ledger, &scan(&[("a", 1)]), Haste::Last);
    let actions = ledger.take(&scan(&[]), Haste::Last, false);
    assert!(actions.delete.is_empty());
    assert_eq!(actions.gone, [PathBuf::from("a")]);
    assert_eq!(round(&mut ledger, &scan(&[("a", 1)]), Haste::Last), ["+a"]);
}

/// What happens to one of a few files, or to the mirror.
#[derive(Debug, Clone)]
enum Step {
    Write(u8),
    Remove(u8),
    /// A round; bit by bit, which of its actions fail, and how many are done
    /// before it is cut off.
    Round(u16, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..6).prop_map(Step::Write),
        (0u8..6).prop_map(Step::Remove),
        (any::<u16>(), 0usize..12).prop_map(|(fail, until)| Step::Round(fail, until)),
    ]
}

proptest! {
    #[test]
    fn after_a_last_round_the_store_holds_what_the_directory_holds(
        restored in prop::collection::btree_map(0u8..6, 1000u64..2000, 0..4),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let name = |file: u8| PathBuf::from(file.to_string());
        let mut ledger = Ledger::default();
        let mut store = BTreeMap::new();
        let mut local = BTreeMap::new();
        for (file, version) in restored {
            ledger.restored(name(file), stamp(version));
            store.insert(name(file), stamp(version));
            local.insert(name(file), stamp(version));
        }
        let last = Step::Round(0, usize::MAX);
        for (version, step) in steps.into_iter().chain([last.clone()]).enumerate() {
            let (fail, until) = match step {
                Step::Write(file) => {
                    local.insert(name(file), stamp(version as u64));
                    continue;
                }
                Step::Remove(file) => {
                    local.remove(&name(file));
                    continue;
                }
                Step::Round(fail, until) => (fail, until),
            };
            let haste = if until == usize::MAX { Haste::Last } else { Haste::Steady };
            let found = Scan { files: local.clone(), unseen: Vec::new() };
            let actions = ledger.take(&found, haste, true);
            let uploads = actions.upload.iter().map(|upload| (&upload.path, Some(upload)));
            let all = uploads.chain(actions.delete.iter().map(|path| (path, None)));
            for (number, (path, upload)) in all.enumerate() {
                // A cut leaves one action done and not noted.
                if number > until {
                    break;
                }
                let fails = fail >> (number % 16) & 1 == 1;
                match upload {
                    Some(upload) => {
                        ledger.begun(path);
                        if fails {
                            ledger.failed(path);
                            continue;
                        }
                        store.insert(path.clone(), upload.stamp);
                        if number < until {
                            ledger.stored(upload);
                        }
                    }
                    None if fails => {}
                    None => {
                        store.remove(path);
                        if number < until {
                            ledger.deleted(path);
                        }
                    }
                }
            }
        }
        prop_assert_eq!(store, local);
    }
}
