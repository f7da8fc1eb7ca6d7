//! The way past HTTP to the files behind objects, where the control plane's own
//! store keeps them on this machine.
//!
//! The control plane is asked where the file is, as this instance. What it names
//! must be a file below the data directory's `objects/`, of the size that it
//! says; the store itself is asked for everything else.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use futures::FutureExt;
use futures::future::BoxFuture;
use kiln_data::{Checksum, LocalBodies, LocalBody, ObjectHead};
use nix::libc::O_NOFOLLOW;

use crate::courier::Courier;
use crate::report::ShownBody;

/// The directory of the store's files, in the data directory.
const OBJECTS: &str = "objects";

/// The files that the control plane shows to this instance.
pub(crate) struct ShownBodies {
    courier: Courier,
    directory: PathBuf,
}

impl ShownBodies {
    pub(crate) fn new(courier: Courier, data_dir: &Path) -> Self {
        let directory = data_dir.join(OBJECTS);
        Self { courier, directory }
    }
}

impl LocalBodies for ShownBodies {
    fn find<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Option<LocalBody>> {
        async move {
            let shown = self.courier.shown_body(bucket, key).await?;
            let directory = self.directory.clone();
            let opened = tokio::task::spawn_blocking(move || open(&directory, shown));
            opened.await.ok().flatten()
        }
        .boxed()
    }
}

fn open(directory: &Path, shown: ShownBody) -> Option<LocalBody> {
    let below = shown.path.strip_prefix(directory).ok()?;
    let named = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !below.components().all(named) {
        return None;
    }
    let mut options = File::options();
    let opened = options
        .read(true)
        .custom_flags(O_NOFOLLOW)
        .open(&shown.path);
    let file = opened.ok()?;
    let status = file.metadata().ok()?;
    let whole = status.is_file() && status.len() == shown.size;
    whole.then(|| LocalBody {
        file,
        head: ObjectHead {
            size: Some(shown.size),
            etag: Some(shown.etag),
            checksum: shown
                .checksum
                .and_then(|(name, value)| Checksum::crc(&name, &value)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_files_below_the_stores_directory_are_opened() {
        let data = tempfile::tempdir().unwrap();
        let objects = data.path().join(OBJECTS);
        std::fs::create_dir_all(objects.join("ab")).unwrap();
        std::fs::write(objects.join("ab/abc"), b"body").unwrap();
        std::fs::write(data.path().join("root-key.json"), b"keys").unwrap();
        std::os::unix::fs::symlink("../../root-key.json", objects.join("ab/link")).unwrap();
        let opens = |path: PathBuf, size| {
            let shown = ShownBody {
                path,
                size,
                etag: "\"e\"".to_owned(),
                checksum: Some(("x-amz-checksum-crc32".to_owned(), "y/Q5Jg==".to_owned())),
            };
            open(&objects, shown)
        };
        let found = opens(objects.join("ab/abc"), 4).unwrap();
        assert_eq!(found.head.etag.as_deref(), Some("\"e\""));
        assert!(found.head.checksum.is_some());
        for (path, size) in [
            (objects.join("ab/abc"), 5),
            (objects.join("ab/absent"), 4),
            (objects.join("ab"), 4096),
            (objects.join("ab/link"), 4),
            (objects.join("../root-key.json"), 4),
            (data.path().join("root-key.json"), 4),
            (PathBuf::from("ab/abc"), 4),
        ] {
            assert!(opens(path.clone(), size).is_none(), "{path:?}");
        }
    }
}
