//! What a container can and cannot reach through the network of the embedded
//! runtime. Needs root.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cluster;
mod figures;
mod machine;
mod outside;
mod peers;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use kiln_agent::cluster::Cluster;
use kiln_agent::runtime::embedded::network::{NetworkNamespace, open, probe};
use kiln_agent::runtime::{ControlAddress, Network, NetworkPolicy};
use nix::sys::socket::{self, Backlog};

use machine::{ELSEWHERE, HOST, as_host, inside};

const ENDPOINT: (Ipv4Addr, u16) = (Ipv4Addr::new(169, 254, 170, 2), 80);
const NOWHERE: ControlAddress =
    ControlAddress::Fixed(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1));

/// A cluster of one host.
fn alone() -> Cluster {
    Cluster::alone("algo-1", "kiln-test")
}

async fn open_to_all() -> Network {
    assert_eq!(probe(), None, "these tests need /dev/net/tun");
    open(NetworkPolicy::Open, &NOWHERE, &alone()).await.unwrap()
}

/// Accepts for ever and gives every connection to `answer` on its own thread.
fn serve(address: (Ipv4Addr, u16), answer: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind(address).unwrap();
    socket::listen(&listener, Backlog::MAXALLOWABLE).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            thread::spawn(move || answer(stream.unwrap()));
        }
    });
    port
}

/// A control server that answers one request with its name.
fn control_server(name: &'static str) -> SocketAddr {
    let port = serve((Ipv4Addr::LOCALHOST, 0), move |mut stream| {
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"GET / HTTP/1.1\r\n"));
        let length = name.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{name}"
        )
        .unwrap();
    });
    (Ipv4Addr::LOCALHOST, port).into()
}

fn get() -> io::Result<String> {
    let mut stream = TcpStream::connect(ENDPOINT)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: kiln\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer
        .split("\r\n\r\n")
        .nth(1)
        .unwrap_or_default()
        .to_owned())
}

/// Returns what it gets, up to the other side's end.
fn echo(mut stream: TcpStream) {
    io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
}

/// Bytes that differ wherever they are torn or swapped.
fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_ne_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn refused_by(address: impl std::net::ToSocketAddrs) -> ErrorKind {
    let address = address.to_socket_addrs().unwrap().next().unwrap();
    TcpStream::connect_timeout(&address, Duration::from_mins(1))
        .unwrap_err()
        .kind()
}

#[test]
fn the_endpoint_leads_to_the_control_server() {
    as_host(async || {
        let control = ControlAddress::Fixed(control_server("kiln"));
        let network = open(NetworkPolicy::Open, &control, &alone()).await.unwrap();
        assert_eq!(network.endpoint.as_deref(), Some("http://169.254.170.2"));
        assert_eq!(inside(&network, get).await.unwrap(), "kiln");
    });
}

#[test]
fn a_server_that_moves_is_found_again() {
    as_host(async || {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("address");
        std::fs::write(&file, format!("{}\n", control_server("first"))).unwrap();
        let control = ControlAddress::File(file.clone());
        let network = open(NetworkPolicy::Open, &control, &alone()).await.unwrap();
        assert_eq!(inside(&network, get).await.unwrap(), "first");

        std::fs::write(&file, "127.0.0.1:1\n").unwrap();
        let waiting = inside(&network, get);
        let restart = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            std::fs::write(&file, format!("{}\n", control_server("second"))).unwrap();
        };
        let (answer, ()) = tokio::join!(waiting, restart);
        assert_eq!(
            answer.unwrap(),
            "second",
            "a connection outlasts the restart"
        );
    });
}

#[test]
fn an_isolated_container_reaches_nothing_but_itself() {
    as_host(async || {
        let port = serve((Ipv4Addr::UNSPECIFIED, 0), echo);
        let control = ControlAddress::Fixed(control_server("kiln"));
        let network = open(NetworkPolicy::Isolated, &control, &alone())
            .await
            .unwrap();
        assert_eq!(network.endpoint, None);
        assert_eq!(
            (network.interface.as_str(), network.address),
            ("lo", [127, 0, 0, 1].into())
        );
        assert!(
            NetworkNamespace::of(&network)
                .unwrap()
                .resolvers()
                .is_empty()
        );
        inside(&network, move || {
            assert_eq!(refused_by(ENDPOINT), ErrorKind::NetworkUnreachable);
            assert_eq!(refused_by((ELSEWHERE, port)), ErrorKind::NetworkUnreachable);
            assert_eq!(refused_by((HOST, port)), ErrorKind::NetworkUnreachable);
            assert_eq!(
                refused_by((Ipv4Addr::LOCALHOST, port)),
                ErrorKind::ConnectionRefused
            );
            let own = serve((Ipv4Addr::LOCALHOST, 0), echo);
            TcpStream::connect((Ipv4Addr::LOCALHOST, own)).unwrap();
        })
        .await;
    });
}

#[test]
fn the_host_itself_is_out_of_reach() {
    as_host(async || {
        let port = serve((Ipv4Addr::UNSPECIFIED, 0), echo);
        let network = open_to_all().await;
        inside(&network, move || {
            TcpStream::connect((ELSEWHERE, port)).expect("the outside world is there");
            assert_eq!(
                refused_by((Ipv4Addr::LOCALHOST, port)),
                ErrorKind::ConnectionRefused
            );
            assert_eq!(
                refused_by((Ipv4Addr::UNSPECIFIED, port)),
                ErrorKind::ConnectionRefused
            );
            let mapped = |address: Ipv4Addr| (address.to_ipv6_mapped(), port);
            assert_eq!(refused_by(mapped(HOST)), ErrorKind::HostUnreachable);
            assert_eq!(
                refused_by(mapped(Ipv4Addr::LOCALHOST)),
                ErrorKind::ConnectionRefused
            );
            for address in ["192.0.2.2", "169.254.169.254", "10.201.53.1", "10.201.53.5"] {
                let address: Ipv4Addr = address.parse().unwrap();
                assert_eq!(
                    refused_by((address, port)),
                    ErrorKind::HostUnreachable,
                    "{address}"
                );
            }
        })
        .await;
    });
}

#[test]
fn the_container_has_an_interface_of_its_own() {
    as_host(async || {
        let network = open_to_all().await;
        assert_eq!(network.interface, "eth0");
        let IpAddr::V4(own) = network.address else {
            panic!("{}", network.address)
        };
        inside(&network, move || {
            let port = serve((own, 0), echo);
            TcpStream::connect((own, port)).unwrap();
            let first = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080));
            first.expect("the ports are the container's own");
            let interfaces = nix::ifaddrs::getifaddrs().unwrap();
            let found = interfaces
                .filter(|found| found.interface_name == "eth0")
                .any(|found| {
                    found.address.is_some_and(|address| {
                        address
                            .as_sockaddr_in()
                            .is_some_and(|address| address.ip() == own)
                    })
                });
            assert!(found);
        })
        .await;
    });
}

#[test]
fn a_dropped_network_ends_its_connections_and_leaves_nothing() {
    as_host(async || {
        let port = serve((ELSEWHERE, 0), echo);
        let network = open_to_all().await;
        let mut stream = inside(&network, move || {
            let mut stream = TcpStream::connect((ELSEWHERE, port)).unwrap();
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream
        })
        .await;
        let namespace = NetworkNamespace::of(&network).unwrap().fd().as_raw_fd();
        let name = std::fs::read_link(format!("/proc/self/fd/{namespace}")).unwrap();
        drop(network);
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let answered = stream
            .write_all(b"x")
            .and_then(|()| stream.read_exact(&mut [0]));
        assert!(answered.is_err(), "nobody carries it any more");
        drop(stream);
        let held = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .flatten()
            .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == name));
        assert!(!held, "no descriptor keeps the namespace");
    });
}
