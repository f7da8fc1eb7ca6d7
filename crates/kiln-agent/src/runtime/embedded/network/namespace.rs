//! Makes a network namespace and what must be made from inside it.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{self, Backlog};
use tokio::sync::oneshot;

use super::addresses::{ENDPOINT, ENDPOINT_PORT, INTERFACE};
use super::link::{self, Links};
use super::tun;
use super::wanted::{Wanted, WantedDevice};
use crate::runtime::RuntimeError;

/// A namespace and the sockets that were opened in it.
pub(super) struct Parts {
    pub(super) namespace: OwnedFd,
    pub(super) endpoint: Option<TcpListener>,
    pub(super) device: Option<DeviceParts>,
}

/// A device, and the listener to which connections to the outside world are
/// returned when it leads there.
pub(super) struct DeviceParts {
    pub(super) device: File,
    pub(super) returning: Option<TcpListener>,
}

/// Makes a namespace on a thread that ends with it, since a thread that has left
/// the host's namespace must never serve anything else.
pub(super) async fn make(wanted: Wanted) -> Result<Parts, RuntimeError> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .name("kiln-netns".to_owned())
        .spawn(move || {
            // When nobody waits any more, the namespace goes away with its parts.
            let _ = sender.send(make_here(wanted));
        })
        .map_err(RuntimeError::io(
            "starting a thread for the container's network",
        ))?;
    receiver.await.map_err(|_| {
        RuntimeError::Machine("the thread that made its network panicked".to_owned())
    })?
}

fn make_here(wanted: Wanted) -> Result<Parts, RuntimeError> {
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(io::Error::from)
        .map_err(RuntimeError::io("making a network namespace"))?;
    let namespace = File::open("/proc/thread-self/ns/net")
        .map_err(RuntimeError::io("opening the network namespace"))?
        .into();
    let links = Links::here().map_err(RuntimeError::io("configuring the network namespace"))?;
    links
        .up("lo")
        .map_err(RuntimeError::io("bringing the loopback interface up"))?;
    let endpoint = wanted.endpoint.then(|| endpoint(&links)).transpose()?;
    let device = wanted.device.map(|wanted| device(&links, wanted));
    Ok(Parts {
        namespace,
        endpoint,
        device: device.transpose()?,
    })
}

fn endpoint(links: &Links) -> Result<TcpListener, RuntimeError> {
    links
        .set_address("lo:0", (ENDPOINT, 32))
        .map_err(RuntimeError::io("adding the server's address"))?;
    listen(ENDPOINT, ENDPOINT_PORT)
}

fn device(links: &Links, wanted: WantedDevice) -> Result<DeviceParts, RuntimeError> {
    let device = tun::open().map_err(RuntimeError::io("opening /dev/net/tun"))?;
    link::make_tun(&device, INTERFACE)
        .and_then(|()| links.set_mtu(INTERFACE, tun::MTU))
        .and_then(|()| links.set_address(INTERFACE, (wanted.address, wanted.prefix)))
        .and_then(|()| links.up(INTERFACE))
        .map_err(RuntimeError::io(
            "configuring the container's network device",
        ))?;
    // The device carries IPv4 only. Where this cannot be set, IPv6 is still no way
    // out, but the device shows an address of its kind.
    let _ = fs::write(
        format!("/proc/sys/net/ipv6/conf/{INTERFACE}/disable_ipv6"),
        "1",
    );
    let returning = wanted.outside.then(|| outside(links)).transpose()?;
    Ok(DeviceParts { device, returning })
}

fn outside(links: &Links) -> Result<TcpListener, RuntimeError> {
    links
        .route_all_through(INTERFACE)
        .map_err(RuntimeError::io(
            "routing the outside world through the device",
        ))?;
    // Away from the container's own address, where all ports are its own.
    listen(ENDPOINT, 0)
}

/// Listens with a queue that takes a job's burst of connections. One that runs
/// over makes the kernel fall back to SYN cookies and then reset connections.
fn listen(address: Ipv4Addr, port: u16) -> Result<TcpListener, RuntimeError> {
    let listening = TcpListener::bind((address, port)).and_then(|listener| {
        socket::listen(&listener, Backlog::MAXALLOWABLE)?;
        Ok(listener)
    });
    listening.map_err(RuntimeError::io("listening in the container's network"))
}
