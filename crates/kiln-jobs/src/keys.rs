//! A job's own keys: short-lived, derived, and never stored.
//!
//! Key id, secret and session token all follow from the claim (which job, which
//! instance) and a secret of the data directory. So they survive a restart of
//! the server without being written anywhere: a server knows the keys of the
//! instances that are written down, and whoever checks them asks the job's own
//! status whether they still count.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kiln_agent::cluster::Cluster;
use kiln_agent::plan::Keys;
use kiln_agent::ssh::ClusterKey;
use ring::hmac;
use serde::{Deserialize, Serialize};

/// Whom a session token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSession {
    /// The job's kind, as in ARNs.
    pub kind: String,
    /// The job's name.
    pub job: String,
    /// The instance.
    pub instance: String,
    /// Who of the instance. The work goes without saying, as it did before agents
    /// had keys of their own: so what was placed then is known by its keys still.
    #[serde(default, skip_serializing_if = "Party::is_work")]
    pub party: Party,
    /// The position of the rule of the job that the instance evaluates, if it is no
    /// host of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
}

/// Who holds an instance's keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Party {
    /// The code in the container, which nobody vouches for.
    #[default]
    Work,
    /// The agent, which fetches and stores for it.
    Agent,
}

impl Party {
    fn is_work(&self) -> bool {
        *self == Self::Work
    }
}

/// Issues and recognises job keys.
#[derive(Clone)]
pub struct SessionKeys {
    key: hmac::Key,
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKeys").finish_non_exhaustive()
    }
}

impl SessionKeys {
    /// Keys that follow from a secret of the data directory.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }

    /// The keys of an instance.
    #[must_use]
    pub fn issue(&self, session: &JobSession) -> Keys {
        // Three strings always serialise.
        let claim = serde_json::to_vec(session).unwrap_or_default();
        Keys {
            access_key: self.access_key(&claim),
            secret_key: self.secret(&claim),
            session_token: self.seal(&claim),
        }
    }

    /// What tells the servers of this data directory from all others; no secret.
    #[must_use]
    pub fn server_id(&self) -> String {
        hex::encode(&self.derive(b"server:", b"").as_ref()[..16])
    }

    /// The token by which an instance's agent is known.
    #[must_use]
    pub fn agent_token(&self, instance: &str) -> String {
        hex::encode(self.derive(b"agent:", instance.as_bytes()))
    }

    /// Whether a token is that of the instance's agent.
    #[must_use]
    pub fn is_agent_token(&self, instance: &str, token: &str) -> bool {
        let Ok(token) = hex::decode(token) else {
            return false;
        };
        let claim = [b"agent:", instance.as_bytes()].concat();
        hmac::verify(&self.key, &claim, &token).is_ok()
    }

    /// The key that the hosts of a cluster share: another for every attempt, and
    /// none for a host that is alone.
    #[must_use]
    pub fn cluster_key(&self, cluster: &Cluster) -> Option<ClusterKey> {
        let [first, _, ..] = cluster.hosts.as_slice() else {
            return None;
        };
        let digest = self.derive(b"cluster:", first.instance.as_bytes());
        let seed = <[u8; 32]>::try_from(digest.as_ref()).ok()?;
        Some(ClusterKey::new(seed))
    }

    /// Text that only we could have written: `content` under a seal, safe in a URL.
    #[must_use]
    pub fn seal(&self, content: &[u8]) -> String {
        let seal = hmac::sign(&self.key, content);
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(content),
            URL_SAFE_NO_PAD.encode(seal)
        )
    }

    /// The content of a sealed text; `None` when we did not write it.
    #[must_use]
    pub fn unseal(&self, sealed: &str) -> Option<Vec<u8>> {
        let (content, seal) = sealed.split_once('.')?;
        let content = URL_SAFE_NO_PAD.decode(content).ok()?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        hmac::verify(&self.key, &content, &seal).ok()?;
        Some(content)
    }

    /// `ASIA` and 16 characters, as temporary key ids are.
    fn access_key(&self, claim: &[u8]) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let digest = self.derive(b"id:", claim);
        let letters = digest.as_ref()[..16].iter();
        let id: String = letters
            .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
            .collect();
        format!("ASIA{id}")
    }

    fn secret(&self, claim: &[u8]) -> String {
        STANDARD.encode(&self.derive(b"secret:", claim).as_ref()[..30])
    }

    fn derive(&self, purpose: &[u8], claim: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, &[purpose, claim].concat())
    }
}

#[cfg(test)]
mod tests {
    use kiln_agent::cluster::Host;

    use super::*;

    fn session(job: &str) -> JobSession {
        let text = str::to_owned;
        JobSession {
            kind: text("training-job"),
            job: text(job),
            instance: text("i"),
            party: Party::Work,
            rule: None,
        }
    }

    #[test]
    fn keys_are_the_same_after_a_restart_and_differ_between_jobs() {
        let (ours, again) = (SessionKeys::new(b"secret"), SessionKeys::new(b"secret"));
        assert_eq!(ours.issue(&session("a")), again.issue(&session("a")));
        assert_ne!(ours.issue(&session("a")), ours.issue(&session("b")));
        assert_eq!(ours.server_id(), again.server_id());
        assert_ne!(ours.server_id(), SessionKeys::new(b"other").server_id());
        let agent = JobSession {
            party: Party::Agent,
            ..session("a")
        };
        assert_ne!(ours.issue(&session("a")), ours.issue(&agent));
        assert_ne!(
            SessionKeys::new(b"other").issue(&session("a")),
            ours.issue(&session("a"))
        );
    }

    #[test]
    fn keys_from_before_agents_had_their_own_are_still_the_works() {
        let ours = SessionKeys::new(b"secret");
        let token = ours.issue(&session("a")).session_token;
        let claim = br#"{"kind":"training-job","job":"a","instance":"i"}"#;
        assert_eq!(ours.unseal(&token).as_deref(), Some(&claim[..]));
    }

    #[test]
    fn the_hosts_of_a_cluster_share_a_key_of_their_own() {
        let keys = SessionKeys::new(b"secret");
        let host = |instance: &str| Host {
            name: "algo-1".to_owned(),
            instance: instance.to_owned(),
        };
        let key = |instances: [&str; 2], own| {
            keys.cluster_key(&Cluster {
                hosts: instances.map(host).into(),
                own,
            })
        };
        assert!(key(["a", "b"], 0).is_some());
        assert_eq!(key(["a", "b"], 0), key(["a", "b"], 1));
        assert_ne!(key(["a", "b"], 0), key(["c", "d"], 0));
        assert_eq!(keys.cluster_key(&Cluster::alone("algo-1", "a")), None);
    }

    #[test]
    fn only_our_own_seals_open() {
        let ours = SessionKeys::new(b"secret");
        let sealed = ours.seal(b"place");
        assert_eq!(ours.unseal(&sealed).as_deref(), Some(&b"place"[..]));
        assert_eq!(SessionKeys::new(b"other").unseal(&sealed), None);
        assert_eq!(ours.unseal(&format!("x{sealed}")), None);
        assert!(ours.is_agent_token("i", &ours.agent_token("i")));
        assert!(!ours.is_agent_token("j", &ours.agent_token("i")));
    }
}
