//! A machine for the tests to play the host: a network namespace in which the
//! agent runs, with a loopback interface, an interface address and an outside
//! world that ends on the same machine.

use std::fs;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns, unshare};

use kiln_agent::runtime::Network;
use kiln_agent::runtime::embedded::network::NetworkNamespace;

/// An address of one of the host's interfaces.
pub const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// Another machine as far as anybody can see: no interface has this address,
/// but packets for it are delivered to the host's own sockets.
pub const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

const LOOPBACK_INDEX: i32 = 1;

/// Runs `test` on a host of its own, on one thread and its runtime.
pub fn as_host<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    on_host(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test());
    });
}

/// Runs `test` on a host of its own, with a working directory of its own.
pub fn on_host(test: impl FnOnce() + Send + 'static) {
    let host = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_FS).unwrap();
        configure();
        test();
    });
    if let Err(panic) = host.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `code` in a container's network, on a thread that ends with it.
pub async fn inside<T: Send + 'static>(
    network: &Network,
    code: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    thread_inside(network, move || {
        let _ = sender.send(code());
    });
    receiver
        .await
        .expect("the code in the container's network panicked")
}

/// Begins to run `code` in a container's network.
pub fn thread_inside<T: Send + 'static>(
    network: &Network,
    code: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let namespace = NetworkNamespace::of(network)
        .unwrap()
        .fd()
        .try_clone_to_owned()
        .unwrap();
    thread::spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        code()
    })
}

/// The first of the resolvers that the machine's configuration names, made an
/// address of another machine as well.
pub fn resolver() -> Option<Ipv4Addr> {
    let text = fs::read_to_string("/etc/resolv.conf").ok()?;
    let named = text
        .lines()
        .find_map(|line| line.strip_prefix("nameserver "));
    let address = named.map_or(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), |name| {
        name.trim().parse().ok()
    });
    let IpAddr::V4(address) = address? else {
        return None;
    };
    if !address.is_loopback() {
        deliver_here(address);
    }
    Some(address)
}

fn configure() {
    let up = [
        &(libc::AF_UNSPEC as u32).to_ne_bytes()[..],
        &LOOPBACK_INDEX.to_ne_bytes(),
        &(libc::IFF_UP as u32).to_ne_bytes(),
        &(libc::IFF_UP as u32).to_ne_bytes(),
    ];
    ask(libc::RTM_NEWLINK, &up.concat()).unwrap();
    let address = [
        &[libc::AF_INET as u8, 32, 0, 0][..],
        &LOOPBACK_INDEX.to_ne_bytes(),
        &attribute(libc::IFA_LOCAL, HOST.octets()),
    ];
    ask(libc::RTM_NEWADDR, &address.concat()).unwrap();
    deliver_here(ELSEWHERE);
}

/// What `ip route add local ADDRESS dev lo` does.
fn deliver_here(address: Ipv4Addr) {
    let kinds = [
        libc::AF_INET as u8,
        32,
        0,
        0,
        libc::RT_TABLE_LOCAL,
        libc::RTPROT_STATIC,
        libc::RT_SCOPE_HOST,
        libc::RTN_LOCAL,
    ];
    let route = [
        &kinds[..],
        &[0; 4],
        &attribute(libc::RTA_DST, address.octets()),
        &attribute(libc::RTA_OIF, LOOPBACK_INDEX.to_ne_bytes()),
    ];
    ask(libc::RTM_NEWROUTE, &route.concat()).unwrap();
}

fn attribute(kind: u16, value: [u8; 4]) -> Vec<u8> {
    [&8_u16.to_ne_bytes()[..], &kind.to_ne_bytes(), &value].concat()
}

/// Sends the kernel one netlink request and reads whether it agreed.
fn ask(kind: u16, body: &[u8]) -> io::Result<()> {
    const HEADER: usize = 16;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE) as u16;
    let message = [
        &((HEADER + body.len()) as u32).to_ne_bytes()[..],
        &kind.to_ne_bytes(),
        &flags.to_ne_bytes(),
        &[0; 8],
        body,
    ]
    .concat();
    let mut answer = [0_u8; 1024];
    // SAFETY: a new descriptor that nothing else owns, and buffers of the lengths
    // given.
    let read = unsafe {
        let socket = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE);
        let socket = OwnedFd::from_raw_fd(socket);
        libc::send(
            socket.as_raw_fd(),
            message.as_ptr().cast(),
            message.len(),
            0,
        );
        libc::recv(
            socket.as_raw_fd(),
            answer.as_mut_ptr().cast(),
            answer.len(),
            0,
        )
    };
    assert!(read >= 20, "{}", io::Error::last_os_error());
    match i32::from_ne_bytes(answer[HEADER..HEADER + 4].try_into().unwrap()) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}
