//! What is unpacked, and what is said of archives that are not.

use std::fs;

use proptest::prelude::*;

use super::{entry, file, gzip, opened, record, tar};
use crate::archive::Limits;

const UNABLE: &str = "ClientError: InputConfiguration: Unable to untar input model. ";
const NO_TAR_GZ: &str = "ClientError: InputConfiguration: Unable to untar input model. \
                         Please confirm the model is a tar.gz file ";

fn refusal(archive: &[u8], limits: &Limits) -> String {
    let (home, unpacked) = opened(archive, limits);
    assert!(!home.path().join("escaped").exists());
    unpacked.unwrap_err().to_string()
}

#[test]
fn sound_archives_are_unpacked() {
    let long = format!("{}/model.onnx", "d".repeat(120));
    // Of what is larger than its header can say, the header says nothing.
    let mut large = file("large", b"");
    large.extend(b"content");
    large.resize(1024, 0);
    let entries = [
        entry("./", b'5', b""),
        entry("x", b'x', &record("size", "7")),
        large,
        entry("g", b'g', &record("comment", "from git")),
        file("./model/a.txt", b"content"),
        entry("././@LongLink", b'L', format!("{long}\0").as_bytes()),
        file("short", b"long"),
        entry("x", b'x', &record("path", "ünï/b.txt")),
        file("short", b"pax"),
        entry("old/", b'0', b""),
        file("empty", b""),
    ];
    // Several gzips behind each other are one.
    let whole = tar(&entries);
    let archive = [gzip(&whole[..700]), gzip(&whole[700..])].concat();
    let (_home, unpacked) = opened(&archive, &Limits::default());
    let unpacked = unpacked.unwrap();
    let read = |name: &str| fs::read(unpacked.root.join(name)).unwrap();
    assert_eq!(read("model/a.txt"), b"content");
    assert_eq!(read(&long), b"long");
    assert_eq!(read("ünï/b.txt"), b"pax");
    assert_eq!(read("empty"), b"");
    assert_eq!(read("large"), b"content");
    assert_eq!(unpacked.files.len(), 5);
    assert!(unpacked.root.join("old").is_dir());
}

#[test]
fn broken_archives_are_refused() {
    let whole = gzip(&tar(&[file("model.onnx", &[7; 5000])]));
    let mut flipped = whole.clone();
    let end = flipped.len() - 8;
    flipped[end] ^= 1;
    for (archive, message) in [
        (
            b"PK\x03\x04 a zip".to_vec(),
            "(it does not begin as a gzip does)",
        ),
        (Vec::new(), "(it does not begin as a gzip does)"),
        (
            tar(&[file("model.onnx", b"")]),
            "(it does not begin as a gzip does)",
        ),
        (gzip(b""), "(it holds no files)"),
        (
            gzip(&tar(&[entry("only/", b'5', b"")])),
            "(it holds no files)",
        ),
        (
            gzip(&tar(&[entry("x", b'x', b"99 path=a\n"), file("a", b"")])),
            "(the extended header of an entry is broken)",
        ),
        (
            gzip(&tar(&[
                entry("x", b'x', &record("size", "much")),
                file("a", b""),
            ])),
            "(the size of an entry is no number)",
        ),
        (
            gzip(&tar(&[entry("x", b'L', &[b'a'; 70_000]), file("a", b"")])),
            "(an entry's header is too large)",
        ),
        (
            gzip(&tar(&[file("model.onnx", &[7; 5000])])[..2000]),
            "(it ends within 'model.onnx')",
        ),
    ] {
        let found = refusal(&archive, &Limits::default());
        assert_eq!(found, format!("{NO_TAR_GZ}{message}"));
    }
    for archive in [&whole[..whole.len() / 2], &flipped, &gzip(&[b'x'; 2000])] {
        let found = refusal(archive, &Limits::default());
        assert!(found.starts_with(&format!("{NO_TAR_GZ}(")), "{found}");
    }
}

#[test]
fn hostile_entries_are_refused() {
    let link = |kind| {
        let mut header = ::tar::Header::new_gnu();
        header.set_path("evil").unwrap();
        header.set_link_name("/etc").unwrap();
        header.set_entry_type(::tar::EntryType::new(kind));
        header.set_size(0);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let sparse = record("GNU.sparse.major", "1");
    for (entries, message) in [
        (
            vec![link(b'2'), file("evil/passwd", b"")],
            "'evil' is a symbolic link, which is not allowed",
        ),
        (
            vec![link(b'1')],
            "'evil' is a hard link, which is not allowed",
        ),
        (
            vec![entry("null", b'3', b"")],
            "'null' is a device, which is not allowed",
        ),
        (
            vec![entry("sda", b'4', b"")],
            "'sda' is a device, which is not allowed",
        ),
        (
            vec![entry("pipe", b'6', b"")],
            "'pipe' is a named pipe, which is not allowed",
        ),
        (
            vec![entry("holes", b'S', b"")],
            "'holes' is a sparse file, which is not allowed",
        ),
        (
            vec![entry("x", b'x', &sparse), file("holes", b"")],
            "'holes' is a sparse file, which is not allowed",
        ),
        (
            vec![entry("odd", b'Z', b"")],
            "'odd' is of an unknown type, which is not allowed",
        ),
        (
            vec![file("/escaped", b"")],
            "The name '/escaped' is not relative",
        ),
        (
            vec![file("../escaped", b"")],
            "The name '../escaped' leads out of the archive",
        ),
        (
            vec![file("a/../../escaped", b"")],
            "The name 'a/../../escaped' leads out of the archive",
        ),
        (
            vec![entry("../escaped", b'5', b"")],
            "The name '../escaped' leads out of the archive",
        ),
        (
            vec![
                entry("x", b'x', &record("path", "../escaped")),
                file("a", b""),
            ],
            "The name '../escaped' leads out of the archive",
        ),
        (
            vec![entry("x", b'L', b"../escaped\0"), file("a", b"")],
            "The name '../escaped' leads out of the archive",
        ),
        (vec![file("a", b""), file("./a", b"")], "'a' is there twice"),
        (vec![file("a", b""), file("a/b", b"")], "'a' is there twice"),
        (
            vec![file("a", b""), entry("a", b'5', b"")],
            "'a' is there twice",
        ),
        (vec![file("a/b", b""), file("a", b"")], "'a' is there twice"),
        (
            vec![entry("a/b", b'5', b""), file("a/b", b"")],
            "'a/b' is there twice",
        ),
        (
            vec![file("a\tb", b"")],
            "The name 'a?b' is empty or has control characters",
        ),
        (
            vec![file("", b"")],
            "The name '' is empty or has control characters",
        ),
        (
            vec![file(&"a/".repeat(20), b""), file("b", b"")],
            "is nested too deep",
        ),
    ] {
        let found = refusal(&gzip(&tar(&entries)), &Limits::default());
        assert!(
            found.starts_with(UNABLE) && found.ends_with(message),
            "{found}"
        );
    }
}

#[test]
fn bombs_do_not_go_off() {
    let limits = Limits {
        bytes: 2 << 20,
        entries: 50,
        free: 100 << 10,
        ..Limits::default()
    };
    let zeros = vec![0; 1 << 20];
    let shrinking = gzip(&tar(&[file("zeros", &zeros)]));
    assert_eq!(
        refusal(&shrinking, &limits),
        format!("{UNABLE}It holds more than 100 times its own size")
    );

    let large: Vec<_> = (0..3).map(|i| file(&i.to_string(), &zeros)).collect();
    let any_ratio = Limits {
        ratio: 10_000,
        ..limits.clone()
    };
    assert_eq!(
        refusal(&gzip(&tar(&large)), &any_ratio),
        format!("{UNABLE}It holds more than 2097152 bytes")
    );

    let many: Vec<_> = (0..51).map(|i| file(&i.to_string(), b"")).collect();
    assert_eq!(
        refusal(&gzip(&tar(&many)), &limits),
        format!("{UNABLE}It has more than 50 entries")
    );
    let names: Vec<_> = (0..51).map(|_| entry("x", b'x', b"")).collect();
    assert_eq!(
        refusal(&gzip(&tar(&names)), &limits),
        format!("{UNABLE}It has more than 50 entries")
    );

    // A size in a header is believed by nobody.
    let mut huge = ::tar::Header::new_gnu();
    huge.set_path("huge").unwrap();
    huge.set_size(1 << 60);
    huge.set_cksum();
    let found = refusal(&gzip(&tar(&[huge.as_bytes().to_vec()])), &limits);
    assert_eq!(found, format!("{NO_TAR_GZ}(it ends within 'huge')"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_packed_is_unpacked(
        files in prop::collection::btree_map(
            "[a-z]{1,8}(/[a-z]{9}){0,2}",
            prop::collection::vec(any::<u8>(), 0..2000),
            1..8,
        ),
    ) {
        let mut builder = ::tar::Builder::new(Vec::new());
        for (name, content) in &files {
            let mut header = ::tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            builder.append_data(&mut header, name, content.as_slice()).unwrap();
        }
        let archive = gzip(&builder.into_inner().unwrap());
        let (_home, unpacked) = opened(&archive, &Limits::default());
        // A name may be that of another's directory.
        let clash = files.keys().any(|name| {
            files.keys().any(|other| other.starts_with(&format!("{name}/")))
        });
        prop_assert_eq!(unpacked.is_err(), clash);
        if let Ok(unpacked) = unpacked {
            for (name, content) in &files {
                prop_assert_eq!(&fs::read(unpacked.root.join(name)).unwrap(), content);
            }
        }
    }
}
