//! What a job's own keys open in S3.
//!
//! Where the job's role was created here, with policies of its own, these decide
//! instead, for the agent and for the work alike, as in the cloud.

use kiln_model::S3Uri;

use crate::CreatedRole;

/// Kinds of access to S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read an object, or list keys under a prefix.
    Read,
    /// Write, or delete, an object.
    Write,
}

/// The places in S3 that a job may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub(crate) readable: Vec<S3Uri>,
    pub(crate) writable: Vec<S3Uri>,
    /// Objects to read, and nothing that only begins like them.
    pub(crate) objects: Vec<S3Uri>,
    /// Objects to write, and nothing that only begins like them.
    pub(crate) written: Vec<S3Uri>,
    /// Whether whoever has the keys reads everything.
    pub(crate) reads_all: bool,
    pub(crate) role: Option<CreatedRole>,
}

impl Scope {
    /// One of single objects.
    pub(crate) fn of_objects(read: Vec<S3Uri>, written: Vec<S3Uri>) -> Self {
        Self {
            readable: Vec::new(),
            writable: Vec::new(),
            objects: read,
            written,
            reads_all: false,
            role: None,
        }
    }

    /// The same for a job whose role was created here.
    #[must_use]
    pub fn under(self, role: CreatedRole) -> Self {
        Self {
            role: Some(role),
            ..self
        }
    }

    /// The job's role, if it was created here. Then its policies decide about every
    /// action, and not only about S3.
    #[must_use]
    pub fn role(&self) -> Option<&CreatedRole> {
        self.role.as_ref()
    }

    /// Whether a key, or the keys under a prefix, may be touched.
    #[must_use]
    pub fn allows(&self, access: Access, bucket: &str, key: &str) -> bool {
        match (&self.role, access) {
            (Some(role), Access::Read) => role.reads(bucket, key),
            (Some(role), Access::Write) => role.writes(bucket, key),
            (None, access) => self.covers(access, bucket, key),
        }
    }

    fn covers(&self, access: Access, bucket: &str, key: &str) -> bool {
        let (places, objects) = match access {
            Access::Read => (&self.readable, &self.objects),
            Access::Write => (&self.writable, &self.written),
        };
        let in_bucket = |place: &&S3Uri| place.bucket() == bucket;
        places
            .iter()
            .filter(in_bucket)
            .any(|place| key.starts_with(place.key()))
            || objects
                .iter()
                .filter(in_bucket)
                .any(|object| key == object.key())
            || (access == Access::Read && self.reads_all)
    }

    /// Whether any of its places is in this bucket.
    #[must_use]
    pub fn names_bucket(&self, bucket: &str) -> bool {
        let mut places = self
            .readable
            .iter()
            .chain(&self.objects)
            .chain(&self.written);
        self.reads_all || places.any(|place| place.bucket() == bucket)
    }

    /// Checks what may be touched and what not.
    #[cfg(test)]
    pub(crate) fn expect(&self, cases: &[(Access, &str, &str, bool)]) {
        for (access, bucket, key, expected) in cases {
            let allowed = self.allows(*access, bucket, key);
            assert_eq!(allowed, *expected, "{access:?} {bucket}/{key}");
        }
    }
}
