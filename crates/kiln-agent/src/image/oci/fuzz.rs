//! A fuzz target for the layers of an image, which somebody else packed.

use std::path::Path;

use tar::{Builder, EntryType, Header};

use super::SizeLimits;
use super::layer::Unpacking;
use super::tree::Tree;

const LIMITS: SizeLimits = SizeLimits {
    bytes: 1 << 20,
    entries: 64,
};

/// Whatever a layer names and links to, nothing beside the tree is touched.
#[test]
fn layers() {
    bolero::check!()
        .with_iterations(200)
        .with_type::<(Vec<(u8, u8, u8)>, Vec<(u16, u8)>)>()
        .for_each(|(entries, damages)| {
            let mut layer = pack(entries);
            for (at, byte) in damages.iter().take(4) {
                let at = usize::from(*at) % layer.len();
                layer[at] = *byte;
            }
            unpack(&layer);
        });
}

/// A layer of entries that get into each other's way as well as possible.
fn pack(entries: &[(u8, u8, u8)]) -> Vec<u8> {
    const NAMES: [&str; 8] = [
        "a",
        "a/b",
        "../victim",
        "/a/../../victim",
        "a/.wh.b",
        ".wh..wh..opq",
        "b",
        "b/victim",
    ];
    const KINDS: [EntryType; 5] = [
        EntryType::Regular,
        EntryType::Directory,
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Fifo,
    ];
    let mut layer = Builder::new(Vec::new());
    for (name, kind, target) in entries.iter().take(16) {
        let mut header = Header::new_gnu();
        header.set_mode(0o755);
        let kind = KINDS[usize::from(*kind) % KINDS.len()];
        let content: &[u8] = match kind {
            EntryType::Regular => b"x",
            _ => b"",
        };
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        // Set in the raw field, because the builder refuses what hostile names hold.
        let fields = header.as_old_mut();
        let name = NAMES[usize::from(*name) % NAMES.len()].as_bytes();
        fields.name[..name.len()].copy_from_slice(name);
        let target = ["..", "a", "/etc", "../victim", "b"][usize::from(*target) % 5].as_bytes();
        fields.linkname[..target.len()].copy_from_slice(target);
        header.set_cksum();
        layer.append(&header, content).unwrap();
    }
    layer.into_inner().unwrap()
}

fn unpack(layer: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let victim = directory.path().join("victim");
    std::fs::write(&victim, "untouched").unwrap();
    let root = directory.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let tree = Tree::open(&root).unwrap();
    let _ = Unpacking::new(&tree, LIMITS).apply(layer);
    assert_eq!(names(directory.path()), ["root", "victim"]);
    assert_eq!(std::fs::read(&victim).unwrap(), b"untouched");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}
