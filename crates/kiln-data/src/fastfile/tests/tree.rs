//! Trees of paths, those that are none, and every tree that can be.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn built(paths: &[&str]) -> Result<Tree, TreeError> {
    let mut builder = Builder::new();
    for (entry, path) in (0..).zip(paths) {
        builder.add(Path::new(path), entry, u64::from(entry))?;
    }
    builder.finish()
}

fn find(tree: &Tree, path: &str) -> Option<u32> {
    let mut names = path.split('/');
    names.try_fold(ROOT, |node, name| tree.child(node, name.as_bytes()))
}

#[test]
fn every_file_is_found_by_its_path() {
    let paths = ["a-b/x", "a/b/c", "a/b/d", "a/e", "a.csv", "z"];
    let tree = built(&paths).unwrap();
    for (entry, path) in (0..).zip(paths) {
        let size = u64::from(entry);
        let kind = find(&tree, path).and_then(|node| tree.kind(node));
        assert_eq!(kind, Some(Kind::File { entry, size }), "{path}");
    }
    for path in ["b", "a/b/c/d", "a/", "", "a/b/e"] {
        assert_eq!(find(&tree, path), None, "{path}");
    }
    let inner = find(&tree, "a/b").unwrap();
    assert_eq!(find(&tree, "a"), Some(tree.parent(inner)));
    assert_eq!((tree.len(), tree.bytes()), (10, 15));
}

#[test]
fn paths_that_are_no_tree_are_refused() {
    let cases: [(&[&str], TreeError); 6] = [
        (&["a", "a"], TreeError::Clash { entry: 1 }),
        (&["a", "a-b", "a/b"], TreeError::Clash { entry: 0 }),
        (&["a/b", "c/d", "a/e"], TreeError::Unsorted),
        (&["a/../b"], TreeError::Illegal),
        (&["/a"], TreeError::Illegal),
        (&[""], TreeError::Illegal),
    ];
    for (paths, expected) in cases {
        assert_eq!(built(paths).unwrap_err(), expected, "{paths:?}");
    }
}

#[test]
fn an_empty_channel_is_an_empty_directory() {
    assert!(built(&[]).unwrap().children(ROOT).is_empty());
}

proptest! {
    #[test]
    fn a_tree_holds_exactly_its_paths(
        paths in proptest::collection::btree_map("f[a-c.]{0,2}|[ab-]{1,2}/f[a-c]?", 0u64..9, 0..40),
    ) {
        let mut builder = Builder::new();
        for (entry, (path, size)) in (0..).zip(&paths) {
            builder.add(Path::new(path), entry, *size).unwrap();
        }
        let tree = builder.finish().unwrap();
        let mut found = BTreeMap::new();
        collect(&tree, ROOT, String::new(), &mut found);
        prop_assert_eq!(found, paths);
    }
}

fn collect(tree: &Tree, node: u32, path: String, found: &mut BTreeMap<String, u64>) {
    if let Some(Kind::File { size, .. }) = tree.kind(node) {
        found.insert(path.trim_start_matches('/').to_owned(), size);
    }
    for &child in tree.children(node) {
        let name = String::from_utf8(tree.name(child).to_vec()).unwrap();
        collect(tree, child, format!("{path}/{name}"), found);
    }
}

#[test]
fn a_million_files_take_little_memory() {
    let mut builder = Builder::new();
    for n in 0..1_000_000 {
        let path = format!("part-{:03}/image-{n:07}.jpg", n / 1000);
        builder.add(Path::new(&path), n, 1).unwrap();
    }
    let tree = builder.finish().unwrap();
    let nodes = tree.nodes.capacity() * size_of::<Node>();
    let taken = nodes + tree.names.capacity() + tree.children.capacity() * size_of::<u32>();
    assert!(taken < 64 << 20, "{taken}");
    assert!(find(&tree, "part-999/image-0999999.jpg").is_some());
}
