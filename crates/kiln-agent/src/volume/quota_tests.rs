//! The quota, on a file system that has them. `KILN_TEST_QUOTA_DIR` names a
//! directory on one, for which `tests/tools/quota-volume.sh` cares.

use std::collections::HashSet;
use std::io::Write;
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::volume::{Exceeded, Filled, Ground, Volume};

const MIB: u64 = 1 << 20;

fn under_quota() -> tempfile::TempDir {
    let directory = std::env::var_os("KILN_TEST_QUOTA_DIR").expect("KILN_TEST_QUOTA_DIR");
    tempfile::tempdir_in(directory).unwrap()
}

fn claimed(instance: &Path, limit: u64) -> Quota {
    let directories = ["ml", "sandbox"].map(|name| instance.join(name));
    for directory in &directories {
        std::fs::create_dir_all(directory).unwrap();
    }
    Quota::claim(instance, &directories, limit)
        .unwrap()
        .unwrap()
}

/// Writes until nothing more can be written, without the capability to ignore
/// quotas, which no job has. Answers how many bytes that were, and the complaint.
fn fill(path: &Path) -> (u64, String) {
    let writing = std::process::Command::new("setpriv")
        .args([
            "--bounding-set",
            "-sys_resource",
            "dd",
            "if=/dev/zero",
            "bs=64K",
            "count=1000",
        ])
        .arg(format!("of={}", path.display()))
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&writing.stderr).into_owned();
    (std::fs::metadata(path).unwrap().len(), complaint)
}

#[test]
#[ignore = "needs KILN_TEST_QUOTA_DIR"]
fn what_is_written_beyond_the_size_fails_in_both_directories_together() {
    let instance = under_quota();
    let quota = claimed(instance.path(), 8 * MIB);
    assert!(!quota.is_used_up());
    std::fs::create_dir_all(instance.path().join("ml/model/deep")).unwrap();
    std::fs::write(instance.path().join("sandbox/first"), vec![1; 3 << 20]).unwrap();
    let (written, complaint) = fill(&instance.path().join("ml/model/deep/second"));
    let full = ["No space left", "quota exceeded"];
    assert!(
        full.iter().any(|text| complaint.contains(text)),
        "{complaint}"
    );
    assert!((4 * MIB..=5 * MIB).contains(&written), "{written}");
    assert!(quota.is_full(8 * MIB));
    std::fs::write(instance.path().join("neighbour"), vec![1; 4 << 20]).unwrap();
}

/// XFS sets aside as much again as such a file has.
#[test]
#[ignore = "needs KILN_TEST_QUOTA_DIR"]
fn a_file_that_grows_is_not_yet_a_volume_that_is_full() {
    let instance = under_quota();
    let directories = ["ml", "sandbox"].map(|name| instance.path().join(name));
    directories
        .iter()
        .for_each(|at| std::fs::create_dir(at).unwrap());
    let quota = Quota::claim(instance.path(), &directories, 200 * MIB).unwrap();
    let ground = Ground::new(Filled::new(instance.path(), None), 200 * MIB, quota).unwrap();
    assert!(ground.is_enforced());
    let mut file = File::create(instance.path().join("ml/growing")).unwrap();
    for _ in 0..120 {
        file.write_all(&vec![1; 1 << 20]).unwrap();
        assert_eq!(ground.full(), None);
    }
}

#[test]
#[ignore = "needs KILN_TEST_QUOTA_DIR"]
fn the_limit_ends_with_the_quota() {
    let instance = under_quota();
    let quota = claimed(instance.path(), 2 * MIB);
    let (file_system, number) = (quota.file_system.try_clone().unwrap(), quota.number);
    let limit = || {
        usage(&file_system, number)
            .unwrap()
            .map(|it| it.dqb_bhardlimit)
    };
    assert_eq!(limit(), Some(2 * MIB / LIMIT_UNIT));
    drop(quota);
    assert_eq!(limit(), Some(0));
    std::fs::write(instance.path().join("ml/more"), vec![1; 4 << 20]).unwrap();
}

#[test]
#[ignore = "needs KILN_TEST_QUOTA_DIR"]
fn no_two_instances_have_one_number() {
    let all = under_quota();
    let claim = |name: usize| {
        let instance = all.path().join(name.to_string());
        std::fs::create_dir(&instance).unwrap();
        claimed(&instance, MIB)
    };
    let quotas: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..16)
            .map(|name| scope.spawn(move || claim(name)))
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let numbers: HashSet<_> = quotas.iter().map(|quota| quota.number).collect();
    assert_eq!(numbers.len(), quotas.len());
    // Its own number is not free, whoever asks for it.
    let again = all.path().join("0");
    for name in ["ml", "sandbox"] {
        std::fs::remove_dir(again.join(name)).unwrap();
    }
    assert_ne!(claimed(&again, MIB).number, quotas[0].number);
}

#[test]
#[ignore = "needs KILN_TEST_QUOTA_DIR"]
fn what_is_there_already_has_no_number() {
    let instance = under_quota();
    std::fs::create_dir(instance.path().join("ml")).unwrap();
    std::fs::write(instance.path().join("ml/file"), "x").unwrap();
    let quota = Quota::claim(instance.path(), &[instance.path().join("ml")], MIB);
    assert!(quota.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs KILN_TEST_QUOTA_DIR"]
async fn a_volume_under_quota_says_that_it_is_full() {
    let instance = under_quota();
    let volume = Volume::claim(instance.path(), None, 8 * MIB).unwrap();
    assert!(volume.ground.is_enforced());
    std::fs::create_dir(instance.path().join("ml/model")).unwrap();
    assert_eq!(volume.full().await, None);
    fill(&instance.path().join("ml/model/weights"));
    let exceeded = timeout(Duration::from_mins(1), volume.exceeded())
        .await
        .unwrap();
    assert!(
        matches!(&exceeded, Exceeded::Volume { limit, usage }
        if *limit == 8 * MIB && usage.bytes() > 7 * MIB),
        "{exceeded:?}"
    );
    assert!(volume.full().await.is_some());
}

#[test]
fn numbers_are_large_and_differ() {
    let numbers: HashSet<u32> = (0..100)
        .flat_map(|name| (0..TRIES).map(move |attempt| (name, attempt)))
        .map(|(name, attempt)| candidate(Path::new(&format!("/d/{name}")), attempt))
        .collect();
    assert!(numbers.len() > 1590, "{}", numbers.len());
    assert!(
        numbers
            .iter()
            .all(|number| *number >= FIRST && *number < u32::MAX)
    );
}

#[test]
fn a_file_system_without_project_quotas_is_none() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let claimed = Quota::claim(directory.path(), &[], MIB);
    assert!(!matches!(claimed, Ok(Some(_))));
}
