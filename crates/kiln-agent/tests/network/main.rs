//! What a container can and cannot reach through the network of the embedded
//! runtime. Needs root.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod machine;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use kiln_agent::runtime::embedded::network::{NetworkNamespace, open, probe};
use kiln_agent::runtime::{ControlAddress, Network, NetworkPolicy};
use nix::sys::socket::{self, Backlog};

use machine::{ELSEWHERE, HOST, as_host, inside, resolver};

const ENDPOINT: (Ipv4Addr, u16) = (Ipv4Addr::new(169, 254, 170, 2), 80);
const NOWHERE: ControlAddress =
    ControlAddress::Fixed(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1));

async fn open_to_all() -> Network {
    assert_eq!(probe(), None, "these tests need /dev/net/tun");
    open(NetworkPolicy::Open, &NOWHERE).await.unwrap()
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
    TcpStream::connect_timeout(&address, Duration::from_secs(5))
        .unwrap_err()
        .kind()
}

#[test]
fn the_endpoint_leads_to_the_control_server() {
    as_host(async || {
        let control = ControlAddress::Fixed(control_server("kiln"));
        let network = open(NetworkPolicy::Open, &control).await.unwrap();
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
        let network = open(NetworkPolicy::Open, &control).await.unwrap();
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
        let network = open(NetworkPolicy::Isolated, &control).await.unwrap();
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
fn a_host_that_refuses_is_seen_to_refuse() {
    as_host(async || {
        let closed = TcpListener::bind((ELSEWHERE, 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let network = open_to_all().await;
        assert_eq!(
            inside(&network, move || refused_by(closed)).await,
            ErrorKind::ConnectionRefused
        );
        let unrouted = inside(&network, || refused_by((Ipv4Addr::new(203, 0, 113, 1), 80))).await;
        assert_eq!(unrouted, ErrorKind::NetworkUnreachable);
    });
}

#[test]
fn a_half_closed_connection_still_carries_the_answer() {
    as_host(async || {
        let port = serve((ELSEWHERE, 0), |mut stream| {
            let mut question = Vec::new();
            stream.read_to_end(&mut question).unwrap();
            thread::sleep(Duration::from_millis(50));
            stream.write_all(&question).unwrap();
        });
        let network = open_to_all().await;
        let question = pattern(3_000_000, 1);
        let sent = question.clone();
        let answer = inside(&network, move || {
            let mut stream = TcpStream::connect((ELSEWHERE, port)).unwrap();
            stream.write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            answer
        })
        .await;
        assert!(answer == question);
    });
}

#[test]
fn a_torn_connection_does_not_look_complete() {
    as_host(async || {
        let port = serve((ELSEWHERE, 0), |mut stream| {
            stream.write_all(b"half of it").unwrap();
            thread::sleep(Duration::from_millis(100));
            let linger = libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            socket::setsockopt(&stream, socket::sockopt::Linger, &linger).unwrap();
        });
        let network = open_to_all().await;
        let outcome = inside(&network, move || {
            let mut stream = TcpStream::connect((ELSEWHERE, port)).unwrap();
            stream
                .read_to_end(&mut Vec::new())
                .map_err(|error| error.kind())
        })
        .await;
        assert_eq!(outcome, Err(ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_silent_connection_stays_open() {
    as_host(async || {
        let port = serve((ELSEWHERE, 0), echo);
        let network = open_to_all().await;
        inside(&network, move || {
            let mut stream = TcpStream::connect((ELSEWHERE, port)).unwrap();
            for quiet in [11, 0] {
                stream.write_all(b"x").unwrap();
                stream.read_exact(&mut [0]).unwrap();
                thread::sleep(Duration::from_secs(quiet));
            }
        })
        .await;
    });
}

#[test]
fn a_slow_reader_slows_the_sender() {
    as_host(async || {
        let port = serve((ELSEWHERE, 0), |stream| {
            thread::sleep(Duration::from_secs(60));
            drop(stream);
        });
        let network = open_to_all().await;
        let taken = inside(&network, move || {
            let mut stream = TcpStream::connect((ELSEWHERE, port)).unwrap();
            stream
                .set_write_timeout(Some(Duration::from_secs(1)))
                .unwrap();
            let chunk = vec![0; 1 << 20];
            (0..1024)
                .take_while(|_| stream.write_all(&chunk).is_ok())
                .count()
        })
        .await;
        assert!(taken < 64, "{taken} MiB were buffered on the way");
    });
}

#[test]
fn many_connections_at_once_stay_apart() {
    as_host(async || {
        let port = serve((ELSEWHERE, 0), echo);
        let network = open_to_all().await;
        inside(&network, move || {
            let clients = (0..200).map(|number| {
                thread::spawn(move || {
                    let sent = pattern(100_000 + number, number as u64);
                    let mut stream = TcpStream::connect((ELSEWHERE, port)).unwrap();
                    let mut writer = stream.try_clone().unwrap();
                    let outgoing = sent.clone();
                    let writing = thread::spawn(move || {
                        writer.write_all(&outgoing).unwrap();
                        writer.shutdown(Shutdown::Write).unwrap();
                    });
                    let mut received = Vec::new();
                    stream.read_to_end(&mut received).unwrap();
                    writing.join().unwrap();
                    assert!(received == sent, "connection {number}");
                })
            });
            let clients: Vec<_> = clients.collect();
            clients
                .into_iter()
                .for_each(|client| client.join().unwrap());
        })
        .await;
    });
}

#[test]
fn datagrams_and_name_look_ups_go_out_and_come_back() {
    as_host(async || {
        let reply = |socket: UdpSocket, name: &'static str| {
            thread::spawn(move || {
                let mut buffer = [0; 65_536];
                loop {
                    let (length, from) = socket.recv_from(&mut buffer).unwrap();
                    let answer = [name.as_bytes(), &buffer[..length]].concat();
                    socket.send_to(&answer, from).unwrap();
                }
            });
        };
        let elsewhere = UdpSocket::bind((ELSEWHERE, 0)).unwrap();
        let elsewhere_address = elsewhere.local_addr().unwrap();
        reply(elsewhere, "elsewhere ");
        let resolver = resolver();
        if let Some(address) = resolver {
            reply(UdpSocket::bind((address, 53)).unwrap(), "resolver ");
        }

        let network = open_to_all().await;
        let resolvers = NetworkNamespace::of(&network).unwrap().resolvers();
        let ask = |to: SocketAddr, question: Vec<u8>| {
            inside(&network, move || {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
                socket
                    .set_read_timeout(Some(Duration::from_secs(5)))
                    .unwrap();
                socket.connect(to).unwrap();
                socket.send(&question).unwrap();
                let mut buffer = [0; 65_536];
                socket
                    .recv(&mut buffer)
                    .map(|length| buffer[..length].to_vec())
            })
        };
        assert_eq!(
            ask(elsewhere_address, b"a".to_vec()).await.unwrap(),
            b"elsewhere a"
        );
        let large = pattern(9_000, 7);
        let answer = ask(elsewhere_address, large.clone()).await.unwrap();
        assert_eq!(answer.strip_prefix(b"elsewhere ").unwrap(), large);
        if resolver.is_some() {
            let answer = ask((resolvers[0], 53).into(), b"name".to_vec())
                .await
                .unwrap();
            assert_eq!(answer, b"resolver name");
        }
        let forbidden = ask((HOST, 53).into(), b"name".to_vec()).await.unwrap_err();
        assert_eq!(forbidden.kind(), ErrorKind::HostUnreachable);
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

/// Sends `length` bytes from a server to the container and says how fast.
async fn download(network: &Network, from: (Ipv4Addr, u16), sent: &'static [u8]) -> f64 {
    inside(network, move || {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(from).unwrap();
        let mut buffer = vec![0; 1 << 20];
        let mut received = 0;
        loop {
            let length = stream.read(&mut buffer).unwrap();
            if length == 0 {
                break;
            }
            assert!(
                buffer[..length] == sent[received..received + length],
                "at {received}"
            );
            received += length;
        }
        assert_eq!(received, sent.len());
        sent.len() as f64 / begun.elapsed().as_secs_f64() / 1e6
    })
    .await
}

#[test]
fn large_downloads_arrive_whole() {
    as_host(async || {
        let sent: &'static [u8] = pattern(512 << 20, 3).leak();
        let send = move |mut stream: TcpStream| stream.write_all(sent).unwrap();
        let control = serve((Ipv4Addr::LOCALHOST, 0), send);
        let outside = serve((ELSEWHERE, 0), send);
        let control = ControlAddress::Fixed((Ipv4Addr::LOCALHOST, control).into());
        let network = open(NetworkPolicy::Open, &control).await.unwrap();
        let by_endpoint = download(&network, ENDPOINT, sent).await;
        let by_device = download(&network, (ELSEWHERE, outside), sent).await;
        println!("endpoint {by_endpoint:.0} MB/s, outside {by_device:.0} MB/s");
    });
}

#[test]
fn opening_takes_a_few_milliseconds() {
    as_host(async || {
        let mut times = Vec::new();
        for _ in 0..40 {
            let begun = Instant::now();
            let network = open_to_all().await;
            times.push(begun.elapsed());
            drop(network);
        }
        times.sort();
        println!("open: median {:?}, slowest {:?}", times[20], times[39]);
        assert!(times[20] < Duration::from_millis(100));
    });
}
