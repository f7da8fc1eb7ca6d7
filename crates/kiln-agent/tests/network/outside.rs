//! How connections to the outside world behave.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use kiln_agent::runtime::embedded::network::NetworkNamespace;
use nix::sys::socket;

use super::machine::{ELSEWHERE, HOST, as_host, inside, resolver};
use super::{echo, open_to_all, pattern, refused_by, serve};

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
                    .set_read_timeout(Some(Duration::from_mins(1)))
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
fn exchanges_that_nobody_ends_do_not_keep_out_new_ones() {
    as_host(async || {
        let elsewhere = UdpSocket::bind((ELSEWHERE, 0)).unwrap();
        let address = elsewhere.local_addr().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 100];
            loop {
                let (length, from) = elsewhere.recv_from(&mut buffer).unwrap();
                if &buffer[..length] == b"answer" {
                    elsewhere.send_to(b"yes", from).unwrap();
                }
            }
        });
        let network = open_to_all().await;
        let answer = inside(&network, move || {
            let connected = || {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
                socket.connect(address).unwrap();
                socket
            };
            for _ in 0..5000 {
                connected().send(b"silence").unwrap();
            }
            let socket = connected();
            let patience = Duration::from_secs(1);
            socket.set_read_timeout(Some(patience)).unwrap();
            let mut buffer = [0; 100];
            (0..5).find_map(|_| {
                socket.send(b"answer").unwrap();
                let length = socket.recv(&mut buffer).ok()?;
                Some(buffer[..length].to_vec())
            })
        });
        assert_eq!(answer.await.unwrap(), b"yes");
    });
}
