//! Images that try to reach outside, and images that are broken.

use super::*;

#[test]
fn hostile_archives_are_refused_or_harmless() {
    let victim = "../victim";
    let cases: Vec<(&str, Tar)> = vec![
        ("climbing", Tar::new().file(victim, "x")),
        ("climbing deep", Tar::new().file("a/b/../../../victim", "x")),
        (
            "through a link",
            Tar::new().symlink("out", "..").file("out/victim", "x"),
        ),
        (
            "through a long link",
            Tar::new()
                .symlink("out", "../../..")
                .file("out/tmp/victim", "x"),
        ),
        (
            "over a link",
            Tar::new().symlink("f", victim).file("f", "x"),
        ),
        ("hard link out", Tar::new().link("h", victim).file("h", "x")),
        (
            "hard link by a link",
            Tar::new()
                .symlink("s", victim)
                .link("h", "s")
                .file("h", "x"),
        ),
        (
            "hard link through a link",
            Tar::new().symlink("d", "..").link("h", "d/victim"),
        ),
        ("self link", Tar::new().link("h", "h")),
        (
            "link loop",
            Tar::new()
                .symlink("a", "b")
                .symlink("b", "a")
                .file("a/x", "x"),
        ),
        (
            "whiteout out",
            Tar::new().symlink("d", "..").file("d/.wh.victim", ""),
        ),
        ("whiteout of a parent", Tar::new().file(".wh...", "")),
        (
            "opaque out",
            Tar::new().symlink("d", "..").file("d/.wh..wh..opq", ""),
        ),
        ("the root as a file", Tar::new().file("./", "x")),
        (
            "the root as a link",
            Tar::new().symlink("/", victim).file("victim", "x"),
        ),
    ];
    for (what, tar) in cases {
        let scene = Scene::new();
        // Whether it is refused or unpacked inside its root, nothing outside is
        // touched.
        let _ = scene.unpack(&tar.bytes());
        assert!(
            scene.path("rootfs").symlink_metadata().unwrap().is_dir(),
            "{what}"
        );
        scene.assert_untouched();
    }
}

#[test]
fn devices_are_left_out() {
    let tar = Tar::new()
        .entry("dev/sda", EntryType::Block, "", b"")
        .entry("dev/kmsg", EntryType::Char, "", b"")
        .entry("pipe", EntryType::Fifo, "", b"")
        .file("file", "x")
        .bytes();
    let scene = Scene::new();
    scene.unpack(&tar).unwrap();
    assert!(scene.has("file"));
    for name in ["dev/sda", "dev/kmsg", "pipe"] {
        assert!(!scene.has(name), "{name}");
    }
}

#[test]
fn damaged_and_foreign_images_are_explained() {
    let layer = Tar::new().file("f", "1").bytes();
    let mut damaged = oci_archive(std::slice::from_ref(&layer), &json!({}));
    let at = damaged
        .windows(layer.len())
        .position(|part| part == layer)
        .unwrap();
    damaged[at + 512] = b'2';
    let foreign = {
        let descriptor = json!({ "digest": format!("sha256:{}", "0".repeat(64)),
            "platform": { "os": "windows", "architecture": "amd64" } });
        Tar::new()
            .file("oci-layout", "{}")
            .file(
                "index.json",
                &json!({ "manifests": [descriptor] }).to_string(),
            )
            .bytes()
    };
    let climbing = json!([{ "Config": "../../victim", "Layers": [] }]).to_string();
    let digest = json!({ "manifests": [{ "digest": "sha256:../../../victim" }] }).to_string();
    let cases = [
        (damaged, "damaged"),
        (foreign, "no image for this kind of machine"),
        (b"hello".to_vec(), "cannot be read as an archive"),
        (Vec::new(), "holds no files"),
        (vec![b'x'; 4096], "cannot be read as an archive"),
        (
            Tar::new().file("manifest.json", &climbing).bytes(),
            "is missing",
        ),
        (
            Tar::new().file("manifest.json", "[]").bytes(),
            "0 images instead of one",
        ),
        (
            Tar::new().file("index.json", &digest).bytes(),
            "no SHA-256 digest",
        ),
        (
            Tar::new().file("index.json", "{").bytes(),
            "cannot be understood",
        ),
    ];
    for (archive, expected) in cases {
        let message = Scene::new().unpack(&archive).unwrap_err().to_string();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    }
}

#[test]
fn limits_hold() {
    let scene = Scene::new();
    let tar = Tar::new().file("a", "12345").file("b", "12345").bytes();
    fs::write(scene.path("source"), gzip(&tar)).unwrap();
    let cases = [
        SizeLimits {
            bytes: 9,
            entries: 10,
        },
        SizeLimits {
            bytes: 1 << 20,
            entries: 1,
        },
    ];
    for limits in cases {
        let outcome = unpack(&scene.path("source"), &scene.path("rootfs"), limits);
        assert!(
            matches!(outcome, Err(ImageError::TooLarge { .. })),
            "{outcome:?}"
        );
    }
}
