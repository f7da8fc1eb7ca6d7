//! How the hosts of a cluster reach each other, and nobody else.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use kiln_agent::cluster::Cluster;
use kiln_agent::runtime::embedded::network::{NetworkNamespace, open};
use kiln_agent::runtime::{ControlAddress, NetworkPolicy};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendto,
    setsockopt, socket, sockopt,
};

use super::cluster::{Agent, Instances};
use super::machine::{ELSEWHERE, HOST, inside, on_host};
use super::{ENDPOINT, NOWHERE, control_server, echo, get, pattern, refused_by, serve};

/// Sends `sent` from one host to another, and a like amount back at the same time,
/// and compares both.
fn exchange(from: &Agent, to: &Agent, sent: &'static [u8]) {
    let listener = to.listener();
    let client = from.connect(&listener, to);
    let (server, _) = listener.accept().unwrap();
    let both = [client, server].map(|mut stream| {
        let mut reading = stream.try_clone().unwrap();
        let reader = thread::spawn(move || {
            let mut received = vec![0; sent.len()];
            reading.read_exact(&mut received).unwrap();
            assert!(received == sent);
        });
        let writer = thread::spawn(move || stream.write_all(sent).unwrap());
        [reader, writer]
    });
    for thread in both.into_iter().flatten() {
        thread.join().unwrap();
    }
}

/// Whether a datagram from one socket comes to another as it was.
fn passes(from: &UdpSocket, to: &UdpSocket, bytes: &[u8]) -> bool {
    from.send_to(bytes, to.local_addr().unwrap()).unwrap();
    let mut received = vec![0; 70_000];
    match to.recv_from(&mut received) {
        Ok((length, sender)) => {
            assert_eq!(sender, from.local_addr().unwrap());
            assert!(received[..length] == *bytes);
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    }
}

#[test]
fn connections_carry_both_ways_at_once() {
    on_host(|| {
        let instances = Instances::new();
        let agents = instances.open("job", 2, NetworkPolicy::Open);
        let sent: &'static [u8] = pattern(300 << 20, 5).leak();
        exchange(&agents[0], &agents[1], sent);
    });
}

#[test]
fn every_host_reaches_every_other_under_its_name_and_address() {
    on_host(|| {
        let instances = Instances::new();
        let agents = instances.open("job", 3, NetworkPolicy::Open);
        let names = ["algo-1", "algo-2", "algo-3"].map(str::to_owned);
        let addresses = agents.iter().map(|agent| IpAddr::V4(agent.address()));
        let expected: Vec<(String, IpAddr)> = names.into_iter().zip(addresses).collect();
        let sent: &'static [u8] = pattern(100_000, 6).leak();
        for from in &agents {
            assert_eq!(from.network.hosts, expected);
            assert_eq!(from.network.interface, "eth0");
            for to in &agents {
                exchange(from, to, sent);
            }
        }
    });
}

#[test]
fn datagrams_of_every_size_arrive() {
    on_host(|| {
        let instances = Instances::new();
        let agents = instances.open("job", 2, NetworkPolicy::Isolated);
        let (one, other) = (agents[0].datagrams(4000), agents[1].datagrams(65_535));
        // The last are larger than a packet of the device and come in fragments.
        for size in [0, 1, 1472, 9000, 65_000, 65_507] {
            let bytes = pattern(size, 7);
            assert!(passes(&one, &other, &bytes), "{size}");
            assert!(passes(&other, &one, &bytes), "{size} back");
        }
    });
}

#[test]
fn hosts_answer_pings() {
    on_host(|| {
        let instances = Instances::new();
        let agents = instances.open("job", 2, NetworkPolicy::Isolated);
        let asked = agents[1].address();
        let answer = agents[0].run(move || {
            let icmp = socket(
                AddressFamily::Inet,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::Icmp,
            );
            let icmp = icmp.unwrap();
            // Echo, code 0, its checksum, the identifier 1 and the number 2.
            let echo = [8, 0, 0xf7, 0xfc, 0, 1, 0, 2];
            let asked = SockaddrIn::from(SocketAddrV4::new(asked, 0));
            sendto(icmp.as_raw_fd(), &echo, &asked, MsgFlags::empty()).unwrap();
            setsockopt(&icmp, sockopt::ReceiveTimeout, &two_seconds()).unwrap();
            let mut answer = [0; 64];
            let length = recv(icmp.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
            answer[20..length].to_vec()
        });
        assert_eq!(answer.join().unwrap(), [0, 0, 0xff, 0xfc, 0, 1, 0, 2]);
    });
}

fn two_seconds() -> nix::sys::time::TimeVal {
    nix::sys::time::TimeVal::new(2, 0)
}

#[test]
fn isolated_hosts_reach_their_peers_and_nothing_else() {
    on_host(|| {
        let port = serve((Ipv4Addr::UNSPECIFIED, 0), echo);
        let instances = Instances::new();
        let agents = instances.open("job", 2, NetworkPolicy::Isolated);
        for agent in &agents {
            assert_eq!(agent.network.endpoint, None);
            let namespace = NetworkNamespace::of(&agent.network).unwrap();
            assert!(namespace.resolvers().is_empty());
        }
        let reached = agents[0].run(move || {
            for outside in [ENDPOINT, (ELSEWHERE, port), (HOST, port)] {
                assert_eq!(refused_by(outside), ErrorKind::NetworkUnreachable);
            }
            let own = (Ipv4Addr::LOCALHOST, port);
            assert_eq!(refused_by(own), ErrorKind::ConnectionRefused);
        });
        reached.join().unwrap();
        exchange(&agents[0], &agents[1], pattern(1 << 20, 8).leak());
    });
}

#[test]
fn hosts_of_an_open_cluster_reach_the_server_and_the_outside_world() {
    on_host(|| {
        let outside = serve((ELSEWHERE, 0), echo);
        let own = serve((Ipv4Addr::UNSPECIFIED, 0), echo);
        let instances = Instances::new();
        let cluster = instances.cluster("job", 2);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let control = ControlAddress::Fixed(control_server("kiln"));
            let network = open(NetworkPolicy::Open, &control, &cluster).await.unwrap();
            assert_eq!(inside(&network, get).await.unwrap(), "kiln");
            let reached = move || {
                let mut stream = TcpStream::connect((ELSEWHERE, outside)).unwrap();
                stream.write_all(b"x").unwrap();
                stream.read_exact(&mut [0]).unwrap();
                assert_eq!(refused_by((HOST, own)), ErrorKind::HostUnreachable);
            };
            inside(&network, reached).await;
        });
    });
}

/// A UDP packet with whatever source address its sender likes.
fn forged(source: SocketAddrV4, destination: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let length = (28 + payload.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(source.ip().octets());
    packet.extend(destination.ip().octets());
    packet.extend(source.port().to_be_bytes());
    packet.extend(destination.port().to_be_bytes());
    packet.extend((length - 20).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// A socket that sends packets as they are, headers and all.
fn raw_socket() -> OwnedFd {
    // SAFETY: a new descriptor that nothing else owns.
    unsafe {
        let descriptor = libc::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW);
        assert!(descriptor >= 0, "{}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(descriptor)
    }
}

#[test]
fn no_host_can_send_as_another() {
    on_host(|| {
        let instances = Instances::new();
        let agents = instances.open("job", 3, NetworkPolicy::Open);
        let receiver = agents[1].datagrams(4000);
        let destination = SocketAddrV4::new(agents[1].address(), 4000);
        let own = SocketAddrV4::new(agents[2].address(), 5000);
        let sources = [
            agents[0].address(),
            agents[1].address(),
            Ipv4Addr::new(10, 201, 53, 68),
            Ipv4Addr::new(10, 201, 53, 5),
            Ipv4Addr::new(169, 254, 170, 2),
            Ipv4Addr::new(1, 1, 1, 1),
        ];
        let sending = agents[2].run(move || {
            let raw = raw_socket();
            let to = SockaddrIn::from(destination);
            let others = sources.map(|source| SocketAddrV4::new(source, 5000));
            for source in others.into_iter().chain([own]) {
                let packet = forged(source, destination, &source.ip().octets());
                sendto(raw.as_raw_fd(), &packet, &to, MsgFlags::empty()).unwrap();
            }
        });
        sending.join().unwrap();
        let mut received = [0; 64];
        let (length, sender) = receiver.recv_from(&mut received).unwrap();
        assert_eq!(
            (&received[..length], sender),
            (&own.ip().octets()[..], own.into())
        );
        receiver
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let more = receiver.recv_from(&mut received).unwrap_err().kind();
        assert_eq!(more, ErrorKind::WouldBlock);
    });
}

#[test]
fn clusters_do_not_hear_each_other() {
    on_host(|| {
        let instances = Instances::new();
        let jobs = ["one", "other"].map(|job| instances.open(job, 2, NetworkPolicy::Open));
        assert_eq!(jobs[0][1].address(), jobs[1][1].address());
        let receivers = [0, 1].map(|job: usize| jobs[job][1].datagrams(4000));
        let sender = jobs[0][0].datagrams(4000);
        assert!(passes(&sender, &receivers[0], b"for one"));
        receivers[1]
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let heard = receivers[1].recv_from(&mut [0; 64]).unwrap_err().kind();
        assert_eq!(heard, ErrorKind::WouldBlock);
    });
}

#[test]
fn a_peer_that_comes_late_is_connected_at_once() {
    on_host(|| {
        let instances = Instances::new();
        let cluster = instances.cluster("job", 2);
        let first = Agent::open(&cluster, 0, NetworkPolicy::Open);
        let to = (Ipv4Addr::new(10, 201, 53, 66), 4000);
        let connecting = first.run(move || {
            // It may be there before anybody listens, and is refused then.
            while TcpStream::connect(to).is_err() {}
            Instant::now()
        });
        // So that the next attempt of the kernel itself would be far off.
        thread::sleep(Duration::from_millis(3300));
        let second = Agent::open(&cluster, 1, NetworkPolicy::Open);
        let listening = second.run(move || TcpListener::bind(to).unwrap());
        let listener = listening.join().unwrap();
        let begun = Instant::now();
        listener.accept().unwrap();
        let waited = connecting.join().unwrap().saturating_duration_since(begun);
        assert!(waited < Duration::from_secs(3), "{waited:?}");
    });
}

#[test]
fn a_peer_that_is_gone_holds_up_nobody() {
    on_host(|| {
        let instances = Instances::new();
        let mut agents = instances.open("job", 3, NetworkPolicy::Open);
        let lost = agents.remove(1);
        let listener = lost.listener();
        let mut to_lost = agents[0].connect(&listener, &lost);
        let endless = thread::spawn(move || while to_lost.write_all(&[0; 1 << 16]).is_ok() {});
        thread::sleep(Duration::from_millis(100));
        drop(lost);
        let flood = agents[0].datagrams(4000);
        for _ in 0..1000 {
            let to = (Ipv4Addr::new(10, 201, 53, 66), 4000);
            flood.send_to(&[0; 60_000], to).unwrap();
        }
        exchange(&agents[0], &agents[1], pattern(32 << 20, 9).leak());
        let begun = Instant::now();
        drop((agents, listener));
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{:?}",
            begun.elapsed()
        );
        // It would go on until its kernel gives up; the test does not wait for it.
        assert!(!endless.is_finished());
    });
}

#[test]
fn a_socket_is_there_for_peers_only() {
    on_host(|| {
        let instances = Instances::new();
        let sockets = || {
            let found = ["job-1", "job-2", "alone-1"]
                .map(|instance| instances.path().join(instance).join("net.sock"));
            found.map(|socket| socket.exists())
        };
        let _agents = instances.open("job", 2, NetworkPolicy::Isolated);
        let alone = instances.open("alone", 1, NetworkPolicy::Open);
        assert_eq!(alone[0].address(), Ipv4Addr::new(10, 201, 53, 6));
        assert_eq!(sockets(), [true, true, false]);
    });
}

#[test]
fn an_agent_that_died_does_not_keep_the_next_from_its_place() {
    on_host(|| {
        let instances = Instances::new();
        let cluster = instances.cluster("job", 2);
        let left = instances.path().join("job-1/net.sock");
        drop(std::os::unix::net::UnixDatagram::bind(&left).unwrap());
        assert!(left.exists());
        let agents = [0, 1].map(|own| Agent::open(&cluster, own, NetworkPolicy::Open));
        exchange(&agents[1], &agents[0], pattern(1000, 10).leak());
    });
}

#[test]
fn a_cluster_has_no_more_hosts_than_addresses() {
    on_host(|| {
        let instances = Instances::new();
        let cluster: Cluster = instances.cluster("job", 63);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let opened = runtime.block_on(open(NetworkPolicy::Open, &NOWHERE, &cluster));
        let refusal = opened.unwrap_err().to_string();
        assert!(refusal.contains("there are 62 for a cluster"), "{refusal}");
    });
}
