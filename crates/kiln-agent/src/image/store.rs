//! The images that a person registered by name, unpacked and ready to run.
//!
//! An image is kept once, under its digest, whatever the number of its names. It
//! appears there by one rename, after all of it is on the disk; names appear by
//! the rename of an index. Removing an image takes it from under containers that
//! still run from it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::syncfs;
use serde::{Deserialize, Serialize};

use super::ImageError;
use super::oci::{SizeLimits, unpack};
use crate::removal::remove_tree;
use crate::runtime::{ImageConfig, ResolvedImage, Root};

/// The index of names, in the images' directory.
const INDEX: &str = "images.json";
/// What unfinished work is called until it is finished.
const UNFINISHED: &str = ".unfinished-";
/// The longest name of an image.
const LONGEST_NAME: usize = 255;

/// An image that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImage {
    /// The name by which jobs ask for it.
    pub name: String,
    /// The digest under which it is kept, in hexadecimal.
    pub digest: String,
    /// The bytes in its files.
    pub bytes: u64,
    /// When it was registered, in seconds since 1970.
    pub added: u64,
    /// How its containers start.
    pub config: ImageConfig,
}

/// A directory of images.
#[derive(Debug, Clone)]
pub struct ImageStore {
    directory: PathBuf,
    limits: SizeLimits,
}

type Index = BTreeMap<String, StoredImage>;

impl ImageStore {
    /// The images of a server's data directory.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(data_dir: &Path) -> Result<Self, ImageError> {
        let directory = data_dir.join("images");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(ImageError::io("making the images' directory"))?;
        Ok(Self {
            directory,
            limits: SizeLimits::default(),
        })
    }

    /// The same images, for which other limits hold.
    #[must_use]
    pub fn with_limits(self, limits: SizeLimits) -> Self {
        Self { limits, ..self }
    }

    /// Registers the image at `source` under a name, in place of what had the
    /// name before.
    ///
    /// # Errors
    /// When the name cannot be one, or the image cannot be unpacked.
    pub fn add(&self, name: &str, source: &Path) -> Result<StoredImage, ImageError> {
        let name = canonical(name)?;
        let _lock = self.lock()?;
        self.clear_unfinished()?;
        let unfinished = self
            .directory
            .join(format!("{UNFINISHED}{}", uuid::Uuid::new_v4()));
        let kept = self.unpack_and_keep(&unfinished, source);
        if kept.is_err() {
            let _ = remove_tree(&unfinished);
        }
        let (digest, bytes, config) = kept?;
        let image = StoredImage {
            name: name.clone(),
            digest,
            bytes,
            added: now(),
            config,
        };
        let mut index = self.index()?;
        let replaced = index.insert(name, image.clone());
        self.write_index(&index)?;
        if let Some(replaced) = replaced {
            self.drop_unnamed(&index, &replaced.digest)?;
        }
        Ok(image)
    }

    /// All images, by name.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn list(&self) -> Result<Vec<StoredImage>, ImageError> {
        Ok(self.index()?.into_values().collect())
    }

    /// Forgets a name, and the image with its last name; `false` when there is
    /// no such name.
    ///
    /// # Errors
    /// When files cannot be removed.
    pub fn remove(&self, name: &str) -> Result<bool, ImageError> {
        let _lock = self.lock()?;
        let mut index = self.index()?;
        let Some(removed) = index.remove(&canonical(name)?) else {
            return Ok(false);
        };
        self.write_index(&index)?;
        self.drop_unnamed(&index, &removed.digest)?;
        Ok(true)
    }

    /// The image that a job asks for by name, if it is here.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn resolve(&self, name: &str) -> Result<Option<ResolvedImage>, ImageError> {
        let Ok(name) = canonical(name) else {
            return Ok(None);
        };
        let found = self.index()?.remove(&name);
        Ok(found.map(|image| ResolvedImage {
            root: Root::Directory(self.directory.join(image.digest).join("rootfs")),
            config: image.config,
        }))
    }

    /// Unpacks into an unfinished directory, and gives it its final name.
    fn unpack_and_keep(
        &self,
        unfinished: &Path,
        source: &Path,
    ) -> Result<(String, u64, ImageConfig), ImageError> {
        let rootfs = unfinished.join("rootfs");
        fs::create_dir_all(&rootfs)
            .and_then(|()| fs::set_permissions(&rootfs, fs::Permissions::from_mode(0o755)))
            .map_err(ImageError::io("making the image's directory"))?;
        let unpacked = unpack(source, &rootfs, self.limits)?;
        self.sync()?;
        let kept = self.directory.join(&unpacked.digest);
        if kept.exists() {
            remove_tree(unfinished)
        } else {
            fs::rename(unfinished, &kept)
        }
        .map_err(ImageError::io("keeping the image"))?;
        self.sync()?;
        Ok((unpacked.digest, unpacked.bytes, unpacked.config))
    }

    /// Removes an image that no name refers to any more.
    fn drop_unnamed(&self, index: &Index, digest: &str) -> Result<(), ImageError> {
        if index.values().any(|image| image.digest == digest) {
            return Ok(());
        }
        let gone = self.directory.join(format!("{UNFINISHED}{digest}"));
        fs::rename(self.directory.join(digest), &gone)
            .and_then(|()| remove_tree(&gone))
            .map_err(ImageError::io("removing an image"))
    }

    /// Removes what a process left that was interrupted. To be called with the
    /// lock held: what is unfinished now is nobody's.
    fn clear_unfinished(&self) -> Result<(), ImageError> {
        let clear = || -> io::Result<()> {
            for entry in fs::read_dir(&self.directory)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                    remove_tree(&entry.path())?;
                }
            }
            Ok(())
        };
        clear().map_err(ImageError::io("removing unfinished images"))
    }

    /// Waits until no other process changes the images.
    fn lock(&self) -> Result<Flock<File>, ImageError> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.directory.join(".lock"))
            .map_err(ImageError::io("opening the images' lock"))?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| ImageError::Io {
            doing: "locking the images".to_owned(),
            source: errno.into(),
        })
    }

    fn index(&self) -> Result<Index, ImageError> {
        let images: Vec<StoredImage> = match fs::read(self.directory.join(INDEX)) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
        .map_err(ImageError::io("reading the index of images"))?;
        Ok(images
            .into_iter()
            .map(|image| (image.name.clone(), image))
            .collect())
    }

    fn write_index(&self, index: &Index) -> Result<(), ImageError> {
        let images: Vec<&StoredImage> = index.values().collect();
        let fresh = self.directory.join(format!("{INDEX}.new"));
        let write = || -> io::Result<()> {
            let mut file = File::create(&fresh)?;
            file.write_all(&serde_json::to_vec_pretty(&images)?)?;
            file.sync_all()?;
            fs::rename(&fresh, self.directory.join(INDEX))?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(ImageError::io("writing the index of images"))
    }

    /// Makes all that was written so far survive a power cut.
    fn sync(&self) -> Result<(), ImageError> {
        File::open(&self.directory)
            .and_then(|directory| Ok(syncfs(&directory)?))
            .map_err(ImageError::io("writing the image to the disk"))
    }
}

/// A name with the tag that is meant when it has none.
fn canonical(name: &str) -> Result<String, ImageError> {
    let printable = name.chars().all(|letter| letter.is_ascii_graphic());
    if name.is_empty() || name.len() > LONGEST_NAME || !printable {
        return Err(ImageError::Name(name.to_owned()));
    }
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) {
        Ok(name.to_owned())
    } else {
        Ok(format!("{name}:latest"))
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_means_the_latest() {
        let cases = [
            ("mine", "mine:latest"),
            ("mine:1", "mine:1"),
            ("host:5000/mine", "host:5000/mine:latest"),
            ("mine@sha256:00", "mine@sha256:00"),
        ];
        for (name, expected) in cases {
            assert_eq!(canonical(name).unwrap(), expected);
        }
        for bad in ["", "a b", "a\n", &"x".repeat(256)] {
            assert!(canonical(bad).is_err(), "{bad:?}");
        }
    }

    fn rootfs_with(text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), text).unwrap();
        directory
    }

    #[test]
    fn images_are_kept_once_and_go_with_their_last_name() {
        let data = tempfile::tempdir().unwrap();
        let store = ImageStore::open(data.path()).unwrap();
        let source = rootfs_with("one");
        let first = store.add("a", source.path()).unwrap();
        let second = store.add("b:2", source.path()).unwrap();
        assert_eq!(first.digest, second.digest);
        assert_eq!(first.bytes, 3);
        let names: Vec<_> = store
            .list()
            .unwrap()
            .into_iter()
            .map(|image| image.name)
            .collect();
        assert_eq!(names, ["a:latest", "b:2"]);
        let Some(ResolvedImage {
            root: Root::Directory(root),
            ..
        }) = store.resolve("a").unwrap()
        else {
            panic!("the image is not found");
        };
        assert_eq!(fs::read_to_string(root.join("file")).unwrap(), "one");
        assert!(store.remove("a").unwrap());
        assert!(root.exists());
        assert!(!store.remove("a").unwrap());
        assert!(store.remove("b:2").unwrap());
        assert!(!root.exists());
        assert_eq!(store.resolve("b:2").unwrap(), None);
    }

    #[test]
    fn a_name_can_be_given_to_another_image() {
        let data = tempfile::tempdir().unwrap();
        let store = ImageStore::open(data.path()).unwrap();
        let old = store.add("a", rootfs_with("old").path()).unwrap();
        let new = store.add("a", rootfs_with("new").path()).unwrap();
        assert_ne!(old.digest, new.digest);
        assert!(!data.path().join("images").join(old.digest).exists());
        assert_eq!(store.list().unwrap(), [new]);
    }

    #[test]
    fn what_fails_or_was_interrupted_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let store = ImageStore::open(data.path()).unwrap();
        let limits = SizeLimits {
            bytes: 2,
            entries: 10,
        };
        let small = store.clone().with_limits(limits);
        assert!(matches!(
            small.add("a", rootfs_with("large").path()),
            Err(ImageError::TooLarge { limit: 2, .. })
        ));
        let unfinished = data.path().join("images").join(format!("{UNFINISHED}x"));
        fs::create_dir(&unfinished).unwrap();
        assert!(store.add("a", Path::new("/nonexistent")).is_err());
        let left: Vec<_> = fs::read_dir(data.path().join("images")).unwrap().collect();
        assert_eq!(left.len(), 1, "only the lock: {left:?}");
    }
}
