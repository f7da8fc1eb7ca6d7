//! The object store itself: bodies on disk under one index, changed so that a
//! reader sees an object either wholly or not at all.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use kiln_store::objects::{
    Bucket, Encryption, ListQuery, Listed, Listing, Object, ObjectIndex, ObjectIndexError, Part,
    Precondition,
};

use crate::S3Error;
use crate::bodies::{Bodies, Draft};
use crate::content::Content;
use crate::sealing::{MasterKey, Opener, Place, Sealer};

/// How often a read starts over when the object is replaced under it.
const READ_ATTEMPTS: usize = 8;

/// A handle to the objects under one data directory. Clones share it.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    pub(crate) index: ObjectIndex,
    pub(crate) bodies: Bodies,
    pub(crate) master: MasterKey,
    /// Held for as long as the store is open, so that no second process sweeps
    /// away the bodies that this one is writing.
    _lock: Arc<File>,
}

impl ObjectStore {
    /// Opens or creates the store: `objects.db`, the directory `objects`, and
    /// the master key of what is encrypted.
    /// Bodies that a crash has left without an object are deleted.
    ///
    /// # Errors
    /// When another process has it open, the files cannot be used, or the master
    /// key is missed.
    pub fn open(data_dir: &Path) -> Result<Self, S3Error> {
        std::fs::create_dir_all(data_dir).map_err(S3Error::file("create", data_dir))?;
        let lock = lock(data_dir)?;
        let index = ObjectIndex::open(&data_dir.join("objects.db"))?;
        let master = MasterKey::open(data_dir, || Ok(index.holds_sealed()?))?;
        let bodies = Bodies::open(data_dir.join("objects"))?;
        let swept = bodies.sweep(|name| Ok(index.holds_body(name)?))?;
        if swept > 0 {
            tracing::info!(swept, "deleted bodies without an object");
        }
        Ok(Self {
            index,
            bodies,
            master,
            _lock: Arc::new(lock),
        })
    }

    /// Makes a bucket; returns whether it is new.
    ///
    /// # Errors
    /// A failure of the index.
    pub async fn create_bucket(&self, name: &str) -> Result<bool, S3Error> {
        let bucket = Bucket {
            name: name.to_owned(),
            created_ms: now_ms(),
        };
        match self.index.create_bucket(bucket).await {
            Ok(()) => Ok(true),
            Err(ObjectIndexError::BucketExists) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is a bucket of this name.
    ///
    /// # Errors
    /// A failure of the index.
    pub fn bucket_exists(&self, name: &str) -> Result<bool, S3Error> {
        Ok(self.index.bucket_exists(name)?)
    }

    /// The first of the bucket's keys that start with `prefix`.
    ///
    /// # Errors
    /// When there is no such bucket, or the index fails.
    pub fn first_key(&self, bucket: &str, prefix: &str) -> Result<Option<String>, S3Error> {
        Ok(self.index.first_under(bucket, prefix)?)
    }

    /// The keys that start with `prefix` with their sizes, in order: at most
    /// `limit` of them, from behind `after` on.
    ///
    /// # Errors
    /// When there is no such bucket, or the index fails.
    pub fn objects_under(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, S3Error> {
        let listing = self.list(
            bucket,
            &ListQuery {
                prefix: prefix.to_owned(),
                delimiter: None,
                after: after.map(str::to_owned),
                limit,
            },
        )?;
        let sized = listing.entries.into_iter().filter_map(|entry| match entry {
            Listed::Object(key, object) => Some((key, object.size)),
            Listed::CommonPrefix(_) => None,
        });
        Ok(sized.collect())
    }

    /// The size of an object, if there is one by this key.
    ///
    /// # Errors
    /// When there is no such bucket, or the index fails.
    pub fn object_size(&self, bucket: &str, key: &str) -> Result<Option<u64>, S3Error> {
        Ok(self.index.object(bucket, key)?.map(|object| object.size))
    }

    pub(crate) fn list(&self, bucket: &str, query: &ListQuery) -> Result<Listing, S3Error> {
        Ok(self.index.list(bucket, query)?)
    }

    pub(crate) fn object(&self, bucket: &str, key: &str) -> Result<Object, S3Error> {
        let object = self.index.object(bucket, key)?;
        Ok(object.ok_or(ObjectIndexError::NoSuchKey)?)
    }

    /// An object with its body open. The two belong together even when the
    /// object is being replaced. This blocks.
    pub(crate) fn open_object(&self, place: &Place) -> Result<(Object, File), S3Error> {
        let look_up = || self.object(&place.bucket, &place.key);
        let mut object = look_up()?;
        for _ in 0..READ_ATTEMPTS {
            match self.bodies.read(&object.body) {
                Err(error) if error.is_missing_file() => object = look_up()?,
                opened => return Ok((object, opened?)),
            }
        }
        let file = self.bodies.read(&object.body)?;
        Ok((object, file))
    }

    /// These bytes of an object whose body is open.
    pub(crate) fn content(
        &self,
        place: &Place,
        object: &Object,
        file: File,
        bytes: Range<u64>,
    ) -> Result<Content, S3Error> {
        let path = self.bodies.path(&object.body);
        let Some(sealed) = &object.details.sealed else {
            return Ok(Content::plain(path, file, bytes));
        };
        let opener = Opener::new(&self.master, file, sealed, place.clone(), bytes)?;
        Ok(Content::sealed(path, opener))
    }

    /// What seals the bytes that are to be stored at this place, if anything does.
    pub(crate) fn sealer(
        &self,
        encryption: Option<&Encryption>,
        place: &Place,
    ) -> Result<Option<Sealer>, S3Error> {
        let sealer = |encryption| Sealer::new(&self.master, encryption, place.clone());
        Ok(encryption.map(sealer).transpose()?)
    }

    /// Gives `draft` to the object that `describe` makes of its name, and
    /// deletes the body of the object that it replaces.
    pub(crate) async fn commit(
        &self,
        place: &Place,
        draft: Draft,
        describe: impl FnOnce(String) -> Object,
        precondition: Precondition,
    ) -> Result<(), S3Error> {
        let object = describe(draft.keep());
        let body = object.body.clone();
        let (store, Place { bucket, key }) = (self.clone(), place.clone());
        settle(async move {
            let outcome = store.index.put(&bucket, &key, object, precondition).await;
            store.release(outcome.map(Vec::from_iter), body).await
        })
        .await
    }

    /// Gives `draft` to a part of an upload.
    pub(crate) async fn commit_part(
        &self,
        upload: &str,
        draft: Draft,
        describe: impl FnOnce(String) -> Part,
    ) -> Result<(), S3Error> {
        let part = describe(draft.keep());
        let body = part.body.clone();
        let (store, upload) = (self.clone(), upload.to_owned());
        settle(async move {
            let outcome = store.index.put_part(&upload, part).await;
            store.release(outcome.map(Vec::from_iter), body).await
        })
        .await
    }

    /// Ends an upload with the object that `describe` makes of the draft's name.
    pub(crate) async fn commit_upload(
        &self,
        place: &Place,
        upload: &str,
        draft: Draft,
        describe: impl FnOnce(String) -> Object,
        precondition: Precondition,
    ) -> Result<(), S3Error> {
        let object = describe(draft.keep());
        let body = object.body.clone();
        let (store, Place { bucket, key }) = (self.clone(), place.clone());
        let upload = upload.to_owned();
        settle(async move {
            let outcome = store
                .index
                .complete_upload(&bucket, &key, &upload, object, precondition)
                .await;
            store.release(outcome, body).await
        })
        .await
    }

    /// Deletes bodies that the index has let go of, without holding up an
    /// answer that is already true.
    pub(crate) fn discard(&self, names: Vec<String>) {
        if !names.is_empty() {
            let bodies = self.bodies.clone();
            tokio::task::spawn_blocking(move || bodies.remove(&names));
        }
    }

    /// Deletes the bodies that a commit has let go of or, when it failed, the
    /// one that it was to take in.
    async fn release(
        &self,
        outcome: Result<Vec<String>, ObjectIndexError>,
        offered: String,
    ) -> Result<(), S3Error> {
        match outcome {
            Ok(replaced) => {
                self.discard(replaced);
                Ok(())
            }
            Err(error) => {
                self.discard(vec![offered]);
                Err(error.into())
            }
        }
    }
}

/// Runs work to its end even when the request that wants it is dropped: a
/// commit must not be separated from what has to follow it.
async fn settle<T: Send + 'static>(
    work: impl Future<Output = Result<T, S3Error>> + Send + 'static,
) -> Result<T, S3Error> {
    tokio::spawn(work).await.map_err(|_| S3Error::WorkerGone)?
}

fn lock(data_dir: &Path) -> Result<File, S3Error> {
    let path = data_dir.join("objects.lock");
    let file = File::create(&path).map_err(S3Error::file("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(S3Error::InUse(data_dir.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(S3Error::file("lock", &path)(error)),
    }
}

/// Now, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_store::objects::{ObjectDetails, Sealed};

    #[test]
    fn a_data_directory_has_one_store() {
        let directory = tempfile::tempdir().unwrap();
        let store = ObjectStore::open(directory.path()).unwrap();
        let second = ObjectStore::open(directory.path());
        assert!(matches!(second, Err(S3Error::InUse(_))));
        drop(store);
        ObjectStore::open(directory.path()).unwrap();
    }

    #[tokio::test]
    async fn a_store_that_misses_the_key_of_its_objects_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let store = ObjectStore::open(directory.path()).unwrap();
        let key = directory.path().join("s3-master.key");
        drop(store);
        std::fs::remove_file(&key).unwrap();
        let store = ObjectStore::open(directory.path()).unwrap();
        store.create_bucket("bucket").await.unwrap();
        let sealed = Sealed {
            encryption: Encryption::Aes256,
            segments: Vec::new(),
        };
        let object = Object {
            body: "body".to_owned(),
            size: 0,
            etag: String::new(),
            modified_ms: 0,
            details: ObjectDetails {
                sealed: Some(sealed),
                ..ObjectDetails::default()
            },
        };
        let put = store.index.put("bucket", "k", object, Precondition::None);
        put.await.unwrap();
        drop(store);
        std::fs::rename(&key, directory.path().join("aside")).unwrap();
        let missed = ObjectStore::open(directory.path()).unwrap_err().to_string();
        assert!(missed.contains("s3-master.key is missing"), "{missed}");
        assert!(!key.exists());
        std::fs::rename(directory.path().join("aside"), &key).unwrap();
        ObjectStore::open(directory.path()).unwrap();
    }

    #[test]
    fn opening_deletes_what_a_crash_has_left() {
        let directory = tempfile::tempdir().unwrap();
        let store = ObjectStore::open(directory.path()).unwrap();
        let orphan = store.bodies.create().unwrap().0.keep();
        let path = store.bodies.path(&orphan);
        drop(store);
        assert!(path.exists());
        ObjectStore::open(directory.path()).unwrap();
        assert!(!path.exists());
    }
}
