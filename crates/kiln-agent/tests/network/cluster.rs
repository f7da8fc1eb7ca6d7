//! A cluster to try things in: hosts whose agents share one machine, each with a
//! runtime of its own as every agent's process has.

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use kiln_agent::cluster::{Cluster, Host};
use kiln_agent::runtime::embedded::network::open;
use kiln_agent::runtime::{Network, NetworkPolicy};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::NOWHERE;
use super::machine::thread_inside;

/// The directory of all instances. The calling thread works in one of them.
pub struct Instances(TempDir);

impl Instances {
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let here = directory.path().join("here");
        std::fs::create_dir(&here).unwrap();
        std::env::set_current_dir(here).unwrap();
        Self(directory)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The instances of a job, none of which has an agent yet.
    pub fn cluster(&self, job: &str, hosts: usize) -> Cluster {
        let host = |number| {
            let instance = format!("{job}-{number}");
            std::fs::create_dir(self.0.path().join(&instance)).unwrap();
            let name = format!("algo-{number}");
            Host { name, instance }
        };
        Cluster {
            hosts: (1..=hosts).map(host).collect(),
            own: 0,
        }
    }

    /// A job all of whose agents have opened their networks.
    pub fn open(&self, job: &str, hosts: usize, policy: NetworkPolicy) -> Vec<Agent> {
        let cluster = self.cluster(job, hosts);
        (0..hosts)
            .map(|own| Agent::open(&cluster, own, policy))
            .collect()
    }
}

/// The agent of one host, with its network.
pub struct Agent {
    // Goes before the runtime in which it is served.
    pub network: Network,
    _runtime: Runtime,
}

impl Agent {
    pub fn open(cluster: &Cluster, own: usize, policy: NetworkPolicy) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let cluster = Cluster {
            own,
            ..cluster.clone()
        };
        let network = runtime.block_on(open(policy, &NOWHERE, &cluster)).unwrap();
        Self {
            network,
            _runtime: runtime,
        }
    }

    pub fn address(&self) -> Ipv4Addr {
        match self.network.address {
            IpAddr::V4(address) => address,
            IpAddr::V6(address) => panic!("{address}"),
        }
    }

    /// Begins to run `code` in the container's network.
    pub fn run<T: Send + 'static>(
        &self,
        code: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        thread_inside(&self.network, code)
    }

    /// A listener on any port of the container.
    pub fn listener(&self) -> TcpListener {
        let at = (Ipv4Addr::UNSPECIFIED, 0);
        self.run(move || TcpListener::bind(at).unwrap())
            .join()
            .unwrap()
    }

    pub fn connect(&self, listener: &TcpListener, host: &Self) -> TcpStream {
        let to = (host.address(), listener.local_addr().unwrap().port());
        self.run(move || TcpStream::connect_timeout(&to.into(), Duration::from_mins(1)).unwrap())
            .join()
            .unwrap()
    }

    /// A socket on a port of the container.
    pub fn datagrams(&self, port: u16) -> UdpSocket {
        let at = (self.address(), port);
        let socket = self.run(move || UdpSocket::bind(at).unwrap());
        let socket = socket.join().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        socket
    }
}
