//! What a network costs and carries. The figures are printed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use kiln_agent::cluster::Cluster;
use kiln_agent::runtime::embedded::network::open;
use kiln_agent::runtime::{ControlAddress, Network, NetworkPolicy};

use super::machine::{ELSEWHERE, as_host, inside};
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
