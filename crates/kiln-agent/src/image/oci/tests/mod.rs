//! Whole images, good and hostile, unpacked.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::digest;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::*;

mod hostile;

/// An archive being written without any of the checks of the writer.
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn entry(mut self, name: &str, kind: EntryType, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(if kind == EntryType::Directory {
            0o755
        } else {
            0o640
        });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(name, EntryType::Regular, "", content.as_bytes())
    }

    fn directory(self, name: &str) -> Self {
        self.entry(name, EntryType::Directory, "", b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(name, EntryType::Symlink, target, b"")
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.entry(name, EntryType::Link, target, b"")
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A directory beside which nothing may be written.
struct Scene {
    directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("rootfs")).unwrap();
        fs::write(directory.path().join("victim"), "untouched").unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn unpack(&self, archive: &[u8]) -> Result<Unpacked, ImageError> {
        fs::write(self.path("source"), archive).unwrap();
        unpack(
            &self.path("source"),
            &self.path("rootfs"),
            SizeLimits::default(),
        )
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path("rootfs").join(name)).unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.path("rootfs").join(name).symlink_metadata().is_ok()
    }

    /// What is beside the root file system.
    fn assert_untouched(&self) {
        assert_eq!(
            fs::read_to_string(self.path("victim")).unwrap(),
            "untouched"
        );
        let names: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .flatten()
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// An OCI archive of layers.
fn oci_archive(layers: &[Vec<u8>], config: &Value) -> Vec<u8> {
    let mut tar = Tar::new().file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let mut blob = |bytes: &[u8]| {
        let digest = sha256(bytes);
        let name = format!("blobs/sha256/{digest}");
        tar = std::mem::replace(&mut tar, Tar::new()).entry(&name, EntryType::Regular, "", bytes);
        json!({ "digest": format!("sha256:{digest}"), "size": bytes.len() })
    };
    let layers: Vec<Value> = layers.iter().map(|layer| blob(layer)).collect();
    let config = blob(config.to_string().as_bytes());
    let manifest = blob(
        json!({ "config": config, "layers": layers })
            .to_string()
            .as_bytes(),
    );
    let index = json!({ "manifests": [manifest] }).to_string();
    tar.file("index.json", &index).bytes()
}

#[test]
fn a_root_file_system_keeps_its_modes_links_and_times() {
    let tar = Tar::new()
        .directory("./")
        .directory("./usr/")
        .file("./usr/tool", "tool")
        .symlink("./bin", "usr")
        .symlink("./outside", "/etc/passwd")
        .link("./usr/again", "./usr/tool")
        .bytes();
    for archive in [tar.clone(), gzip(&tar)] {
        let scene = Scene::new();
        let unpacked = scene.unpack(&archive).unwrap();
        assert_eq!((unpacked.bytes, &unpacked.digest), (4, &sha256(&tar)));
        assert_eq!(unpacked.config, ImageConfig::default());
        assert_eq!(scene.read("bin/tool"), "tool");
        let root = scene.path("rootfs");
        let found = fs::metadata(root.join("usr/tool")).unwrap();
        assert_eq!(
            (found.permissions().mode() & 0o7777, found.mtime()),
            (0o640, 1_000_000)
        );
        assert_eq!(
            found.ino(),
            fs::metadata(root.join("usr/again")).unwrap().ino()
        );
        assert_eq!(
            fs::read_link(root.join("outside")).unwrap(),
            Path::new("/etc/passwd")
        );
        assert_eq!(fs::metadata(root.join("usr")).unwrap().mtime(), 1_000_000);
        scene.assert_untouched();
    }
}

#[test]
fn layers_hide_and_replace_what_lies_below() {
    let lower = Tar::new()
        .file("a/keep", "1")
        .file("a/gone", "1")
        .file("b/x", "1")
        .file("b/deep/y", "1")
        .file("c", "1")
        .directory("d")
        .file("d/z", "1")
        .symlink("l", "a")
        .bytes();
    let upper = Tar::new()
        .file("a/.wh.gone", "")
        .file("b/new", "2")
        .file("b/.wh..wh..opq", "")
        .directory("c")
        .file("c/inner", "2")
        .file("d", "2")
        .file("l/through", "2")
        .bytes();
    let config = json!({ "config": {
        "Env": ["PATH=/opt/bin", "EMPTY="],
        "Entrypoint": ["/run.sh"],
        "Cmd": ["serve", "now"],
        "WorkingDir": "/work",
    }});
    let archive = oci_archive(&[gzip(&lower), upper], &config);
    for archive in [archive.clone(), gzip(&archive)] {
        let scene = Scene::new();
        let unpacked = scene.unpack(&archive).unwrap();
        assert_eq!(unpacked.digest, sha256(config.to_string().as_bytes()));
        assert_eq!(unpacked.config.entrypoint, ["/run.sh"]);
        assert_eq!(unpacked.config.command, ["serve", "now"]);
        assert_eq!(
            unpacked.config.env[0],
            ("PATH".to_owned(), "/opt/bin".to_owned())
        );
        assert_eq!(
            unpacked.config.working_dir.as_deref(),
            Some(Path::new("/work"))
        );
        for (name, expected) in [
            ("a/keep", true),
            ("a/gone", false),
            ("b/x", false),
            ("b/deep", false),
            ("b/new", true),
            ("c/inner", true),
            ("d/z", false),
            ("a/through", true),
            ("a/.wh.gone", false),
        ] {
            assert_eq!(scene.has(name), expected, "{name}");
        }
        assert_eq!(scene.read("d"), "2");
    }
}

#[test]
fn a_docker_archive_is_an_image() {
    let layer = Tar::new().file("hello", "world").bytes();
    let config = json!({ "config": { "Entrypoint": ["/hello"], "Env": null } }).to_string();
    let manifest = json!([{ "Config": "c.json", "Layers": ["one/layer.tar", "two/layer.tar"] }]);
    let archive = Tar::new()
        .entry("one/layer.tar", EntryType::Regular, "", &layer)
        .symlink("two/layer.tar", "../one/layer.tar")
        .file("c.json", &config)
        .file("manifest.json", &manifest.to_string())
        .bytes();
    let scene = Scene::new();
    let unpacked = scene.unpack(&archive).unwrap();
    assert_eq!(unpacked.config.entrypoint, ["/hello"]);
    assert_eq!(scene.read("hello"), "world");
}

#[test]
fn a_directory_is_copied_without_following_links() {
    let scene = Scene::new();
    let source = tempfile::tempdir().unwrap();
    fs::create_dir(source.path().join("sub")).unwrap();
    fs::write(source.path().join("sub/file"), "text").unwrap();
    symlink(scene.path("victim"), source.path().join("link")).unwrap();
    let rootfs = scene.path("rootfs");
    let first = unpack(source.path(), &rootfs, SizeLimits::default()).unwrap();
    assert_eq!(scene.read("sub/file"), "text");
    assert!(rootfs.join("link").is_symlink());
    let other = Scene::new();
    let second = unpack(source.path(), &other.path("rootfs"), SizeLimits::default()).unwrap();
    assert_eq!(first.digest, second.digest);
    fs::write(source.path().join("sub/file"), "tex2").unwrap();
    let third = Scene::new();
    let third = unpack(source.path(), &third.path("rootfs"), SizeLimits::default()).unwrap();
    assert_ne!(first.digest, third.digest);
}
