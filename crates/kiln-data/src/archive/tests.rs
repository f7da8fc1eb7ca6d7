//! Archives as their readers see them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use tar::EntryType;

use super::*;

/// A member: its mode, its type, its body, where it links to.
type Member = (u32, EntryType, Vec<u8>, Option<Vec<u8>>);

fn members(archive: &[u8]) -> Vec<(Vec<u8>, Member)> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let describe = |entry: io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        assert!(entry.header().as_ustar().is_some());
        assert_eq!(entry.header().uid().unwrap(), 0);
        let mut body = Vec::new();
        io::Read::read_to_end(&mut entry, &mut body).unwrap();
        let mode = entry.header().mode().unwrap();
        let link = entry.link_name_bytes().map(|link| link.into_owned());
        let name = entry.path_bytes().into_owned();
        (name, (mode, entry.header().entry_type(), body, link))
    };
    tar.entries().unwrap().map(describe).collect()
}

fn names(archive: &[u8]) -> Vec<String> {
    let name = |(name, _)| String::from_utf8(name).unwrap();
    members(archive).into_iter().map(name).collect()
}

fn archive(root: &Path) -> Vec<u8> {
    write_archive(root, Vec::new()).unwrap()
}

#[test]
fn a_file_that_says_to_be_huge_is_not_archived() {
    let directory = tempfile::tempdir().unwrap();
    let sparse = fs::File::create(directory.path().join("sparse")).unwrap();
    for (size, is_written) in [(1000, true), (1001, false), (1 << 43, false)] {
        sparse.set_len(size).unwrap();
        let written = write_merged(&[directory.path()], 1000, Vec::new());
        let refused = written.err().map(|error| error.kind());
        let expected = (!is_written).then_some(io::ErrorKind::FileTooLarge);
        assert_eq!(refused, expected, "{size}");
    }
}

#[test]
fn an_archive_has_the_cloud_s_form() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir(root.join("sub")).unwrap();
    fs::write(root.join("sub/model.bin"), b"weights").unwrap();
    fs::hard_link(root.join("sub/model.bin"), root.join("twin")).unwrap();
    symlink("/etc/shadow", root.join("link")).unwrap();
    nix::unistd::mkfifo(&root.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let archive = archive(root);
    assert_eq!(archive[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    let found = members(&archive);
    let found: Vec<_> = found
        .iter()
        .map(|(name, (mode, kind, body, _))| (&name[..], *mode, *kind, &body[..]))
        .collect();
    let expected: [(&[u8], u32, EntryType, &[u8]); 4] = [
        (b"link", 0o644, EntryType::Symlink, b""),
        (b"sub/", 0o755, EntryType::Directory, b""),
        (b"sub/model.bin", 0o644, EntryType::Regular, b"weights"),
        (b"twin", 0o644, EntryType::Regular, b"weights"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_empty_or_missing_directory_and_what_took_its_place_are_an_empty_archive() {
    let directory = tempfile::tempdir().unwrap();
    let in_place = tempfile::tempdir().unwrap();
    let (link, file) = (in_place.path().join("link"), in_place.path().join("file"));
    symlink("/etc", &link).unwrap();
    fs::write(&file, "x").unwrap();
    for root in [
        directory.path().to_owned(),
        directory.path().join("absent"),
        link,
        file,
    ] {
        assert_eq!(members(&archive(&root)), []);
    }
}

#[test]
fn trees_merge_and_the_first_of_equal_names_wins() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1"), directory.path().join("2"));
    for (path, body) in [
        (one.join("both/a"), "first"),
        (two.join("both/a"), "second"),
        (two.join("both/b"), "second"),
        (one.join("file"), "first"),
        (two.join("file/below"), "hidden"),
        (two.join("algo-2/x"), "second"),
        (one.join("algo-1/x"), "first"),
        (one.join("dir/x"), "first"),
        (two.join("dir"), "hidden"),
    ] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }
    let absent = directory.path().join("3");
    let merged = write_merged(&[&one, &absent, &two], LARGEST_OBJECT, Vec::new()).unwrap();
    let files: Vec<_> = members(&merged)
        .into_iter()
        .map(|(name, (_, _, body, _))| {
            let text = |bytes| String::from_utf8(bytes).unwrap();
            format!("{}={}", text(name), text(body))
        })
        .collect();
    let expected = [
        "algo-1/=",
        "algo-1/x=first",
        "algo-2/=",
        "algo-2/x=second",
        "both/=",
        "both/a=first",
        "both/b=second",
        "dir/=",
        "dir/x=first",
        "file=first",
    ];
    assert_eq!(files, expected);
}

#[test]
fn names_of_any_length_and_any_bytes_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut parent = directory.path().to_owned();
    for piece in ["d".repeat(60), "..e".repeat(30), "f".repeat(200)] {
        parent.push(piece);
    }
    fs::create_dir_all(&parent).unwrap();
    let odd = OsStr::from_bytes(b"\xff\xfe").to_owned();
    let long_odd = OsStr::from_bytes(&[0xff; 250]);
    fs::write(parent.join(&odd), b"deep").unwrap();
    fs::write(directory.path().join(long_odd), b"odd").unwrap();
    symlink("x/".repeat(400), directory.path().join("far")).unwrap();
    let found: BTreeMap<_, _> = members(&archive(directory.path())).into_iter().collect();
    let deep = parent.strip_prefix(directory.path()).unwrap().join(&odd);
    assert_eq!(found[deep.as_os_str().as_bytes()].2, b"deep");
    assert_eq!(found[long_odd.as_bytes()].2, b"odd");
    let far = found[&b"far"[..]].3.as_deref().unwrap();
    assert_eq!(far, "x/".repeat(400).as_bytes());
}

#[test]
fn a_sparse_file_is_as_long_as_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let file = fs::File::create(directory.path().join("sparse")).unwrap();
    file.set_len(40 << 20).unwrap();
    let archive = archive(directory.path());
    assert!(archive.len() < 1 << 20);
    let found = members(&archive);
    assert!(found[0].1.2 == vec![0; 40 << 20]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_tree_comes_back_as_it_was(
        files in prop::collection::btree_map(
            "([a-zA-Z \u{e4}\n.-]{1,110}d/){0,3}x[a-z]{0,120}",
            prop::collection::vec(any::<u8>(), 0..2000),
            0..12,
        )
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut written = BTreeMap::new();
        for (name, body) in files {
            let path = directory.path().join(&name);
            // A file may stand where a directory is to be, or the other way round.
            if fs::create_dir_all(path.parent().unwrap()).is_err() {
                continue;
            }
            if fs::write(&path, &body).is_ok() {
                let path = path.strip_prefix(directory.path()).unwrap().to_owned();
                written.insert(path.as_os_str().as_bytes().to_vec(), body);
            }
        }
        let archive = archive(directory.path());
        let read: BTreeMap<_, _> = members(&archive)
            .into_iter()
            .filter(|(_, member)| member.1 == EntryType::Regular)
            .map(|(name, member)| (name, member.2))
            .collect();
        prop_assert_eq!(read, written);
        let names = names(&archive);
        let split = |name: &String| -> Vec<String> {
            name.trim_end_matches('/').split('/').map(str::to_owned).collect()
        };
        prop_assert!(names.is_sorted_by_key(split), "{:?}", names);
    }
}
