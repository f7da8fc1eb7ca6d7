//! Whole containers of one cluster in the embedded runtime: their names, their
//! addresses, and what passes between them. Needs root.

#![allow(clippy::unwrap_used)]

mod sandbox;

use std::os::fd::OwnedFd;

use kiln_agent::cluster::{Cluster, Host};
use kiln_agent::runtime::{ControlAddress, Exit, NetworkPolicy, Runtime};
use sandbox::Sandbox;

/// Sends 64 MiB under its name to whoever connects first, and says what its own
/// name leads to. It ends when all of that is there: a container's network ends with it, and
/// takes along what is still on its way.
const SERVER: &str = r#"
use Socket;
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die;
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
bind($listener, sockaddr_in(4567, inet_aton("algo-1"))) or die;
listen($listener, 5) or die;
my $peer = accept(my $stream, $listener);
my ($port, $address) = sockaddr_in($peer);
print inet_ntoa(inet_aton("algo-1")), " hears ", inet_ntoa($address), "\n";
my $block = "0123456789abcdef" x 65536;
syswrite($stream, $block) == length $block or die for 1 .. 64;
sysread($stream, my $thanks, 1) or die;
"#;

/// Reads all that `algo-1` sends, tells it so, and says how much it was and whether any of it
/// was out of its place. It gives `algo-1` the time to hear it.
const CLIENT: &str = r#"
use Socket;
my $stream;
for (1 .. 200) {
    socket($stream, PF_INET, SOCK_STREAM, 0) or die;
    last if connect($stream, sockaddr_in(4567, inet_aton("algo-1")));
    select(undef, undef, undef, 0.05);
}
read($stream, my $text, 64 << 20);
syswrite($stream, ".") or die;
vec(my $waits = "", fileno($stream), 1) = 1;
select($waits, undef, undef, 10);
my $sound = $text eq "0123456789abcdef" x (length($text) / 16);
print inet_ntoa(inet_aton("algo-2")), " got ", length $text, " ", $sound ? "sound" : "torn", "\n";
open my $routes, "<", "/proc/net/route";
print "default route\n" if grep { (split)[1] eq "00000000" } <$routes>;
"#;

/// A container of a cluster that runs a Perl program.
fn sandbox(program: &str) -> Sandbox {
    let script = format!("cat >/tmp/program <<'END'\n{program}\nEND\nexec perl /tmp/program");
    let mut sandbox = Sandbox::new(&script);
    sandbox.container.limits.memory_bytes = 512 << 20;
    sandbox
}

/// Runs the container as a host of the cluster.
async fn run(mut sandbox: Sandbox, cluster: Cluster, policy: NetworkPolicy) -> (Exit, String) {
    let control = ControlAddress::Fixed(([127, 0, 0, 1], 9).into());
    let id = sandbox.container.id.clone();
    let opened = sandbox
        .runtime
        .open_network(&id, policy, &control, &cluster);
    let network = opened.await.unwrap();
    assert_eq!(network.interface, "eth0");
    sandbox.container.hostname = cluster.name().to_owned();
    sandbox.container.hosts = network.hosts.clone();
    let (reader, writer) = std::io::pipe().unwrap();
    let output = tokio::task::spawn_blocking(move || std::io::read_to_string(reader).unwrap());
    let started = sandbox
        .runtime
        .start(&sandbox.container, &network, OwnedFd::from(writer))
        .await;
    let mut running = started.unwrap();
    let exit = running.wait().await.unwrap();
    let output = output.await.unwrap();
    running.remove().await.unwrap();
    (exit, output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_find_each_other_by_name() {
    let instances = tempfile::tempdir().unwrap();
    let own_directory = instances.path().join("i-1");
    std::fs::create_dir(&own_directory).unwrap();
    std::fs::create_dir(instances.path().join("i-2")).unwrap();
    std::env::set_current_dir(&own_directory).unwrap();
    let hosts = [1, 2].map(|number| Host {
        name: format!("algo-{number}"),
        instance: format!("i-{number}"),
    });
    for (policy, route) in [
        (NetworkPolicy::Open, "default route\n"),
        (NetworkPolicy::Isolated, ""),
    ] {
        let hosts = [0, 1].map(|own| Cluster {
            hosts: hosts.to_vec(),
            own,
        });
        let [first, second] = hosts;
        let (server, client) = tokio::join!(
            run(sandbox(SERVER), first, policy),
            run(sandbox(CLIENT), second, policy),
        );
        let heard = "10.201.53.65 hears 10.201.53.66\n".to_owned();
        assert_eq!(server, (Exit::Code(0), heard));
        let got = format!("10.201.53.66 got 67108864 sound\n{route}");
        assert_eq!(client, (Exit::Code(0), got));
    }
}
