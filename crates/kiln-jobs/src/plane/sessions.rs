//! The keys of the instances there are, by access key.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use kiln_agent::plan::Keys;

use crate::JobSession;

/// The holder of a job's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The job and instance.
    pub holder: JobSession,
    /// What it signs with.
    pub keys: Keys,
}

/// A register of keys.
#[derive(Default)]
pub(super) struct Sessions {
    by_access_key: RwLock<HashMap<String, Session>>,
}

impl Sessions {
    fn all(&self) -> RwLockWriteGuard<'_, HashMap<String, Session>> {
        let all = self.by_access_key.write();
        all.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, session: Session) {
        self.all().insert(session.keys.access_key.clone(), session);
    }

    pub(super) fn remove_all_of(&self, instance: &str) {
        self.all()
            .retain(|_, session| session.holder.instance != instance);
    }

    pub(super) fn find(&self, access_key: &str) -> Option<Session> {
        let all = self.by_access_key.read();
        let all = all.unwrap_or_else(PoisonError::into_inner);
        all.get(access_key).cloned()
    }
}
