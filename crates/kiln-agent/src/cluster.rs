//! The hosts of one attempt of a job, as each of them sees the others.

use serde::{Deserialize, Serialize};

/// The instances of one attempt, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// All of them: `algo-1` first.
    pub hosts: Vec<Host>,
    /// Which of them this instance is.
    pub own: usize,
}

/// One instance of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The name by which the others reach it, such as `algo-1`.
    pub name: String,
    /// The instance's id, which is also its directory's name. Directories of one
    /// cluster lie beside each other.
    pub instance: String,
}

impl Cluster {
    /// A cluster of one host.
    #[must_use]
    pub fn alone(name: &str, instance: &str) -> Self {
        let own = Host {
            name: name.to_owned(),
            instance: instance.to_owned(),
        };
        Self {
            hosts: vec![own],
            own: 0,
        }
    }

    /// This instance's own name; empty in a cluster that lacks it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.hosts
            .get(self.own)
            .map_or("", |host| host.name.as_str())
    }

    /// Whether this is the first host, which stores what all have made.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.own == 0
    }

    /// The other hosts, with their positions.
    pub fn others(&self) -> impl Iterator<Item = (usize, &Host)> {
        let own = self.own;
        let hosts = self.hosts.iter().enumerate();
        hosts.filter(move |(position, _)| *position != own)
    }
}
