//! What a container reaches: the control plane, or nothing.

use kiln_agent::cluster::Cluster;
use kiln_agent::runtime::{ControlAddress, Exit, NetworkPolicy, Runtime as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::rig::Rig;

/// Answers every request with the same few bytes.
pub async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nkiln!\n";
            let _ = stream.write_all(answer).await;
        });
    }
}

#[tokio::test]
async fn an_open_network_reaches_the_control_plane_and_not_the_hosts_loopback() {
    let Some(rig) = Rig::new().await else { return };
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let serving = tokio::spawn(serve(server));
    let mut container = rig.shell(
        "for i in 1 2 3; do wget -q -O - $ENDPOINT/object; done; ls /sys/class/net; \
         wget -q -T 3 -O - http://$LOOPBACK/ 2>/dev/null && echo reached; true",
    );
    let network = rig
        .runtime
        .open_network(
            &container.id,
            NetworkPolicy::Open,
            &ControlAddress::Fixed(address),
            &Cluster::alone("algo-1", &container.id),
        )
        .await
        .unwrap();
    assert_eq!(network.interface, "eth0");
    let endpoint = network.endpoint.clone().unwrap();
    container.env = vec![
        ("ENDPOINT".to_owned(), endpoint),
        ("LOOPBACK".to_owned(), address.to_string()),
    ];
    let launched = rig.launch_in(&container, network).await.unwrap();
    let outcome = launched.finish().await;
    assert_eq!(outcome.text(), "kiln!\nkiln!\nkiln!\neth0\nlo\n");
    serving.abort();
}

#[tokio::test]
async fn a_closed_network_no_longer_forwards() {
    let Some(rig) = Rig::new().await else { return };
    let control = ControlAddress::Fixed(([127, 0, 0, 1], 1).into());
    let network = rig
        .runtime
        .open_network(
            "kiln-test",
            NetworkPolicy::Open,
            &control,
            &Cluster::alone("algo-1", "kiln-test"),
        )
        .await
        .unwrap();
    let endpoint = network.endpoint.clone().unwrap();
    let address = endpoint.trim_start_matches("http://").to_owned();
    assert!(tokio::net::TcpStream::connect(&address).await.is_ok());
    drop(network);
    tokio::task::yield_now().await;
    let refused = async {
        while tokio::net::TcpStream::connect(&address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), refused)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_isolated_container_has_no_network() {
    let Some(rig) = Rig::new().await else { return };
    let container = rig.shell("ls /sys/class/net; nc -w 3 172.17.0.1 80 2>&1 || exit 5");
    let launched = rig.launch_alone(&container).await.unwrap();
    assert_eq!(launched.network.endpoint, None);
    assert_eq!(launched.network.interface, "lo");
    let outcome = launched.finish().await;
    assert_eq!(outcome.exit, Exit::Code(5));
    let unreachable = "lo\nnc: can't connect to remote host (172.17.0.1): Network is unreachable\n";
    assert_eq!(outcome.text(), unreachable);
}
