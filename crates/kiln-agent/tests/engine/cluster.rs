//! How the containers of a cluster reach each other through the engine.

use kiln_agent::cluster::{Cluster, Host};
use kiln_agent::runtime::{Container, ControlAddress, Network, NetworkPolicy, Runtime as _};

use crate::rig::{Launched, Rig};

const NOWHERE: &str = "127.0.0.1:1";

/// A cluster of the instances that the containers will be.
fn cluster(containers: &[Container]) -> Cluster {
    let hosts = containers.iter().enumerate();
    let hosts = hosts.map(|(position, container)| Host {
        name: format!("algo-{}", position + 1),
        instance: container.id.clone(),
    });
    Cluster {
        hosts: hosts.collect(),
        own: 0,
    }
}

async fn open(rig: &Rig, cluster: &Cluster, own: usize, policy: NetworkPolicy) -> Network {
    let cluster = Cluster {
        own,
        ..cluster.clone()
    };
    let id = &cluster.hosts[own].instance;
    let control = ControlAddress::Fixed(NOWHERE.parse().unwrap());
    let opened = rig.runtime.open_network(id, policy, &control, &cluster);
    opened.await.unwrap()
}

/// Starts a container in a network, under the name that it has there.
async fn launch(rig: &Rig, container: &Container, network: Network) -> Launched {
    let mut container = container.clone();
    let own = network
        .hosts
        .iter()
        .find(|(_, address)| *address == network.address);
    container.hostname = own.unwrap().0.clone();
    container.hosts = network.hosts.clone();
    rig.launch_in(&container, network).await.unwrap()
}

fn networks(rig: &Rig, cluster: &Cluster) -> String {
    let filter = format!("name=^kiln-{}$", cluster.hosts[0].instance);
    rig.docker(&["network", "ls", "--quiet", "--filter", &filter])
}

/// Answers whoever asks first, and is asked under its name.
const SERVER: &str = "hostname; exec nc -l -p 4567 -e echo hello";
const CLIENT: &str = "ls /sys/class/net; for i in $(seq 100); do \
                      nc -w 1 algo-1 4567 2>/dev/null && exit; sleep 0.1; done";

#[tokio::test]
async fn hosts_reach_each_other_by_name() {
    let Some(rig) = Rig::new().await else { return };
    for policy in [NetworkPolicy::Open, NetworkPolicy::Isolated] {
        let containers = [rig.shell(SERVER), rig.shell(CLIENT)];
        let cluster = cluster(&containers);
        let first = open(&rig, &cluster, 0, policy).await;
        let second = open(&rig, &cluster, 1, policy).await;
        assert_eq!(first.hosts, second.hosts);
        assert_eq!((first.hosts.len(), first.interface.as_str()), (2, "eth0"));
        let server = launch(&rig, &containers[0], first).await;
        let client = launch(&rig, &containers[1], second).await;
        let (client, server) = tokio::join!(client.finish(), server.finish());
        assert_eq!(client.text(), "eth0\nlo\nhello\n", "{policy:?}");
        assert_eq!(server.text(), "algo-1\n");
        assert_eq!(networks(&rig, &cluster), "", "the last one removes it");
    }
}

#[tokio::test]
async fn isolated_hosts_reach_neither_the_machine_nor_the_outside() {
    let Some(rig) = Rig::new().await else { return };
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = "for address in $GATEWAY $BRIDGE $OUTSIDE; do \
                  nc -w 2 $address $PORT </dev/null 2>/dev/null && echo $address; done; echo none";
    let mut containers = [rig.shell(script), rig.shell("true")];
    let cluster = cluster(&containers);
    let network = open(&rig, &cluster, 0, NetworkPolicy::Isolated).await;
    assert_eq!(network.endpoint, None);
    let std::net::IpAddr::V4(own) = network.address else {
        panic!("{}", network.address)
    };
    let variables = [
        (
            "GATEWAY",
            std::net::Ipv4Addr::from_bits(own.to_bits() - 1).to_string(),
        ),
        ("BRIDGE", "172.17.0.1".to_owned()),
        ("OUTSIDE", "198.51.100.7".to_owned()),
        ("PORT", port.to_string()),
    ];
    containers[0].env = variables
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
    let outcome = launch(&rig, &containers[0], network).await.finish().await;
    assert_eq!(outcome.text(), "none\n");
}

#[tokio::test]
async fn open_hosts_reach_the_control_plane() {
    let Some(rig) = Rig::new().await else { return };
    let mut containers = [
        rig.shell("wget -q -O - $ENDPOINT/object"),
        rig.shell("true"),
    ];
    let cluster = cluster(&containers);
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let control = ControlAddress::Fixed(server.local_addr().unwrap());
    let serving = tokio::spawn(crate::network::serve(server));
    let id = &containers[0].id;
    let opened = rig
        .runtime
        .open_network(id, NetworkPolicy::Open, &control, &cluster);
    let network = opened.await.unwrap();
    containers[0].env = vec![("ENDPOINT".to_owned(), network.endpoint.clone().unwrap())];
    let outcome = launch(&rig, &containers[0], network).await.finish().await;
    assert_eq!(outcome.text(), "kiln!\n");
    serving.abort();
}

#[tokio::test]
async fn a_host_that_ends_early_takes_nothing_from_the_others() {
    let Some(rig) = Rig::new().await else { return };
    let containers = [rig.shell("echo early"), rig.shell("hostname -i")];
    let cluster = cluster(&containers);
    let early = open(&rig, &cluster, 0, NetworkPolicy::Open).await;
    let late = open(&rig, &cluster, 1, NetworkPolicy::Open).await;
    let address = late.address;
    let outcome = launch(&rig, &containers[0], early).await.finish().await;
    assert_eq!(outcome.text(), "early\n");
    assert_eq!(networks(&rig, &cluster), "");
    let outcome = launch(&rig, &containers[1], late).await.finish().await;
    assert_eq!(outcome.text(), format!("{address}\n"));
    assert_eq!(networks(&rig, &cluster), "");
}

#[tokio::test]
async fn a_network_that_nobody_waits_for_any_more_is_removed() {
    let Some(rig) = Rig::new().await else { return };
    let containers = [rig.shell("true"), rig.shell("true")];
    let cluster = cluster(&containers);
    let opening = open(&rig, &cluster, 0, NetworkPolicy::Isolated);
    let dropped = tokio::time::timeout(std::time::Duration::from_millis(1), opening).await;
    assert!(dropped.is_err());
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(networks(&rig, &cluster), "");
}

#[tokio::test]
async fn what_a_crash_leaves_is_swept() {
    let Some(rig) = Rig::new().await else { return };
    let containers = [rig.shell("true"), rig.shell("true")];
    let cluster = cluster(&containers);
    let network = open(&rig, &cluster, 0, NetworkPolicy::Open).await;
    std::mem::forget(network);
    assert_ne!(networks(&rig, &cluster), "");
    rig.runtime.sweep(rig.directory.path(), &[]).await.unwrap();
    assert_ne!(
        networks(&rig, &cluster),
        "",
        "it is another data directory's"
    );
    // This test's instances lie beside the directory in which it runs.
    let here = std::env::current_dir().unwrap();
    let instance = |id: &str| here.parent().unwrap().join(id);
    let other = instance("i-of-another-cluster");
    rig.runtime.sweep(&other, &[]).await.unwrap();
    assert_ne!(networks(&rig, &cluster), "", "it may be about to be used");
    let own = instance(&containers[1].id);
    rig.runtime.sweep(&own, &[]).await.unwrap();
    assert_eq!(networks(&rig, &cluster), "");
}
