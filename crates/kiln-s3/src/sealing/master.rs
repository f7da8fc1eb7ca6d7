//! The master key of a data directory, and the wrapping of data keys.

use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use kiln_store::key_file::read_or_make;
use kiln_store::objects::{Encryption, Segment};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use super::SealError;
use crate::S3Error;

/// The length of every key.
pub(super) const KEY_LENGTH: usize = 32;

/// The file of the master key in the data directory.
const FILE: &str = "s3-master.key";
/// What tells these derived keys from any others.
const SALT: &[u8] = b"kiln embedded s3, wrapping keys, version 1";

/// The key from which all keys that wrap data keys follow.
#[derive(Clone, Debug)]
pub(crate) struct MasterKey(Prk);

/// The object that a data key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

/// The key that wraps the data keys of one KMS key, at work for one object.
#[derive(Clone, Debug)]
pub(super) struct Wrapper {
    key: LessSafeKey,
    place: Place,
}

/// A data key as bytes, and ready for use.
pub(super) struct DataKey {
    bytes: [u8; KEY_LENGTH],
    pub(super) cipher: LessSafeKey,
}

impl MasterKey {
    /// Reads the data directory's key, and makes it when there is none, unless
    /// one is `needed`: there was one, then. The caller holds the directory's
    /// lock, so that nobody else makes one.
    pub(crate) fn open(
        data_dir: &Path,
        needed: impl FnOnce() -> Result<bool, S3Error>,
    ) -> Result<Self, S3Error> {
        let path = data_dir.join(FILE);
        if !path.exists() && needed()? {
            return Err(SealError::Lost(path).into());
        }
        let bytes = read_or_make(&path, || {
            let mut key = vec![0; KEY_LENGTH];
            fill(&mut key).map_err(io::Error::other)?;
            Ok(key)
        })
        .map_err(S3Error::file("read or make", &path))?;
        if bytes.len() != KEY_LENGTH {
            return Err(SealError::MasterKey(bytes.len()).into());
        }
        Ok(Self(Salt::new(HKDF_SHA256, SALT).extract(&bytes)))
    }

    /// The wrapping key of this method and KMS key, for this object.
    pub(super) fn wrapper(
        &self,
        encryption: &Encryption,
        place: Place,
    ) -> Result<Wrapper, SealError> {
        let name = match encryption {
            Encryption::Aes256 => "AES256",
            Encryption::Kms { key, .. } => key,
        };
        let info = [name.as_bytes()];
        let derived = self.0.expand(&info, &AES_256_GCM);
        let key = UnboundKey::from(derived.map_err(|_| SealError::Cipher)?);
        Ok(Wrapper {
            key: LessSafeKey::new(key),
            place,
        })
    }

    /// Wraps the data keys of a copy, whose bytes are the source's.
    pub(crate) fn rewrap(
        &self,
        (encryption, place): (&Encryption, Place),
        segments: &[Segment],
        (new_encryption, new_place): (&Encryption, Place),
    ) -> Result<Vec<Segment>, SealError> {
        let from = self.wrapper(encryption, place)?;
        let to = self.wrapper(new_encryption, new_place)?;
        let rewrap = |segment: &Segment| {
            let data_key = from.unwrap(segment)?;
            to.wrap(&data_key, segment.size)
        };
        segments.iter().map(rewrap).collect()
    }
}

impl Wrapper {
    /// Wraps the data key of a segment of `size` bytes.
    pub(super) fn wrap(&self, data_key: &DataKey, size: u64) -> Result<Segment, SealError> {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce)?;
        let mut wrapped = data_key.bytes.to_vec();
        let bound = Aad::from(self.bound(size));
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut wrapped)
            .map_err(|_| SealError::Cipher)?;
        Ok(Segment {
            size,
            data_key: STANDARD_NO_PAD.encode([nonce.as_slice(), &wrapped].concat()),
        })
    }

    /// The data key of a segment.
    pub(super) fn unwrap(&self, segment: &Segment) -> Result<DataKey, SealError> {
        let open = || {
            let mut wrapped = STANDARD_NO_PAD.decode(&segment.data_key).ok()?;
            let (nonce, key) = wrapped.split_at_mut_checked(NONCE_LEN)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let bound = Aad::from(self.bound(segment.size));
            let opened = self.key.open_in_place(nonce, bound, key).ok()?;
            <[u8; KEY_LENGTH]>::try_from(&*opened).ok()
        };
        DataKey::new(open().ok_or(SealError::DataKey)?)
    }

    /// What a wrapping is good for and nothing else. No bucket's name holds a
    /// zero byte, so no two places read alike.
    fn bound(&self, size: u64) -> Vec<u8> {
        let Place { bucket, key } = &self.place;
        [&size.to_be_bytes(), bucket.as_bytes(), &[0], key.as_bytes()].concat()
    }
}

impl DataKey {
    /// A new one.
    pub(super) fn generate() -> Result<Self, SealError> {
        let mut bytes = [0; KEY_LENGTH];
        fill(&mut bytes)?;
        Self::new(bytes)
    }

    fn new(bytes: [u8; KEY_LENGTH]) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::Cipher)?;
        Ok(Self {
            bytes,
            cipher: LessSafeKey::new(key),
        })
    }
}

/// Fills with random bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), SealError> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| SealError::Cipher)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn place(key: &str) -> Place {
        Place {
            bucket: "b".to_owned(),
            key: key.to_owned(),
        }
    }

    fn open(directory: &Path) -> Result<MasterKey, S3Error> {
        MasterKey::open(directory, || Ok(false))
    }

    fn kms(key: &str) -> Encryption {
        Encryption::Kms {
            key: key.to_owned(),
            bucket_key: false,
        }
    }

    #[test]
    fn the_master_key_is_made_once_and_private() {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path()).unwrap();
        let path = directory.path().join(FILE);
        let first = fs::read(&path).unwrap();
        open(directory.path()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
        assert_eq!(first.len(), KEY_LENGTH);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        fs::write(&path, b"short").unwrap();
        let error = open(directory.path()).unwrap_err();
        assert!(error.to_string().contains("and is 5"), "{error}");
    }

    #[test]
    fn a_data_key_opens_only_where_it_was_wrapped() {
        let directory = tempfile::tempdir().unwrap();
        let master = open(directory.path()).unwrap();
        let other = tempfile::tempdir().unwrap();
        let other = open(other.path()).unwrap();
        let data_key = DataKey::generate().unwrap();
        let wrapper = master.wrapper(&kms("one"), place("k")).unwrap();
        let segment = wrapper.wrap(&data_key, 9).unwrap();
        let opens = |master: &MasterKey, encryption: &Encryption, key: &str, size: u64| {
            let wrapper = master.wrapper(encryption, place(key)).unwrap();
            let segment = Segment {
                size,
                ..segment.clone()
            };
            let opened = wrapper.unwrap(&segment);
            opened.is_ok_and(|opened| opened.bytes == data_key.bytes)
        };
        assert!(opens(&master, &kms("one"), "k", 9));
        assert!(!opens(&other, &kms("one"), "k", 9));
        assert!(!opens(&master, &kms("two"), "k", 9));
        assert!(!opens(&master, &Encryption::Aes256, "k", 9));
        assert!(!opens(&master, &kms("one"), "l", 9));
        assert!(!opens(&master, &kms("one"), "k", 8));
        for damaged in ["", "AAAA", "not base64!"] {
            let segment = Segment {
                size: 9,
                data_key: damaged.to_owned(),
            };
            assert!(wrapper.unwrap(&segment).is_err(), "{damaged}");
        }
    }

    #[test]
    fn a_copy_has_the_same_data_key_wrapped_anew() {
        let directory = tempfile::tempdir().unwrap();
        let master = open(directory.path()).unwrap();
        let data_key = DataKey::generate().unwrap();
        let wrapper = master.wrapper(&kms("one"), place("k")).unwrap();
        let segments = [wrapper.wrap(&data_key, 9).unwrap()];
        let copied = master
            .rewrap(
                (&kms("one"), place("k")),
                &segments,
                (&Encryption::Aes256, place("copy")),
            )
            .unwrap();
        assert!(wrapper.unwrap(&copied[0]).is_err());
        let wrapper = master.wrapper(&Encryption::Aes256, place("copy")).unwrap();
        assert_eq!(wrapper.unwrap(&copied[0]).unwrap().bytes, data_key.bytes);
    }
}
