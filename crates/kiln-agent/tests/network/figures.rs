//! What a network costs and carries. The figures are printed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use kiln_agent::cluster::Cluster;
use kiln_agent::runtime::embedded::network::open;
use kiln_agent::runtime::{ControlAddress, Network, NetworkPolicy};

use super::cluster::{Agent, Instances};
use super::machine::{ELSEWHERE, as_host, inside, on_host};
use super::{ENDPOINT, open_to_all, pattern, serve};

/// Downloads into the container what the server sends, compares it, and returns
/// the megabytes per second.
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
        let network = open(
            NetworkPolicy::Open,
            &control,
            &Cluster::alone("algo-1", "kiln-test"),
        )
        .await
        .unwrap();
        let by_endpoint = download(&network, ENDPOINT, sent).await;
        let by_device = download(&network, (ELSEWHERE, outside), sent).await;
        println!("endpoint {by_endpoint:.0} MB/s, outside {by_device:.0} MB/s");
    });
}

/// Megabytes per second through a connection between two hosts.
fn throughput(from: &Agent, to: &Agent, bytes: usize) -> f64 {
    let listener = to.listener();
    let mut stream = from.connect(&listener, to);
    let (mut receiving, _) = listener.accept().unwrap();
    let begun = Instant::now();
    let sending = thread::spawn(move || {
        let block = vec![7; 1 << 20];
        for _ in 0..bytes >> 20 {
            stream.write_all(&block).unwrap();
        }
    });
    let mut buffer = vec![0; 1 << 20];
    let mut received = 0;
    while received < bytes {
        received += receiving.read(&mut buffer).unwrap();
    }
    sending.join().unwrap();
    bytes as f64 / begun.elapsed().as_secs_f64() / 1e6
}

/// The median time that a few bytes take to a host and back.
fn round_trip(from: &Agent, to: &Agent) -> Duration {
    let listener = to.listener();
    let mut stream = from.connect(&listener, to);
    let (answering, _) = listener.accept().unwrap();
    thread::spawn(move || super::echo(answering));
    stream.set_nodelay(true).unwrap();
    let mut times: Vec<Duration> = (0..2000)
        .map(|_| {
            let begun = Instant::now();
            stream.write_all(b"ping").unwrap();
            stream.read_exact(&mut [0; 4]).unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

#[test]
fn hosts_of_a_cluster_are_close() {
    on_host(|| {
        let instances = Instances::new();
        let agents = instances.open("job", 2, NetworkPolicy::Open);
        let rate = throughput(&agents[0], &agents[1], 2 << 30);
        let round_trip = round_trip(&agents[0], &agents[1]);
        println!("between hosts {rate:.0} MB/s, there and back {round_trip:?}");
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
        assert!(times[20] < Duration::from_secs(2));
    });
}
