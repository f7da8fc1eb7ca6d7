//! Interfaces, addresses and routes of the calling thread's network namespace,
//! set by the kernel's `ioctl` requests.

use std::ffi::c_char;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use libc::{ifreq, sockaddr, sockaddr_in};

/// The socket through which a namespace's interfaces are configured.
pub(super) struct Links(UdpSocket);

impl Links {
    /// Those of the calling thread's namespace.
    pub(super) fn here() -> io::Result<Self> {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map(Self)
    }

    /// Brings an interface up.
    pub(super) fn up(&self, interface: &str) -> io::Result<()> {
        let mut request = request(interface);
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
        self.ask(libc::SIOCSIFFLAGS, &mut request)
    }

    /// Sets the largest packet that an interface carries.
    pub(super) fn set_mtu(&self, interface: &str, bytes: u16) -> io::Result<()> {
        let mut request = request(interface);
        request.ifr_ifru.ifru_mtu = i32::from(bytes);
        self.ask(libc::SIOCSIFMTU, &mut request)
    }

    /// Gives an interface an address in a network of this prefix length, to which
    /// it leads from then on; with 32, there is none around it. A further address
    /// of the same interface goes by a label such as `lo:0`.
    pub(super) fn set_address(
        &self,
        label: &str,
        (address, prefix): (Ipv4Addr, u32),
    ) -> io::Result<()> {
        let mut request = request(label);
        request.ifr_ifru.ifru_addr = socket_address(address);
        self.ask(libc::SIOCSIFADDR, &mut request)?;
        request.ifr_ifru.ifru_netmask = socket_address(mask(prefix));
        self.ask(libc::SIOCSIFNETMASK, &mut request)
    }

    /// Sends everything that has no better way through an interface.
    pub(super) fn route_all_through(&self, interface: &str) -> io::Result<()> {
        let mut device = name(interface);
        let mut route = Route {
            destination: socket_address(Ipv4Addr::UNSPECIFIED),
            mask: socket_address(Ipv4Addr::UNSPECIFIED),
            flags: libc::RTF_UP,
            device: device.as_mut_ptr(),
            ..Route::EMPTY
        };
        // SAFETY: the route and the device's name that it points to outlive the call,
        // and `Route` has the layout of the kernel's `struct rtentry`.
        unsafe { ask(self.0.as_raw_fd(), libc::SIOCADDRT, (&raw mut route).cast()) }
    }

    fn ask(&self, what: libc::c_ulong, request: &mut ifreq) -> io::Result<()> {
        // SAFETY: the callers pair each request with the member that it reads.
        unsafe { ask(self.0.as_raw_fd(), what, std::ptr::from_mut(request).cast()) }
    }
}

/// Turns a freshly opened `/dev/net/tun` into a device of the calling thread's
/// namespace that carries bare IP packets.
///
/// The device is made to outlast its descriptor, so that it goes with its
/// namespace, which the kernel removes in the background. A device that goes with
/// its descriptor keeps whoever closes it waiting for tens of milliseconds.
pub(super) fn make_tun(file: &File, interface: &str) -> io::Result<()> {
    let mut request = request(interface);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    let outlast = std::ptr::without_provenance_mut(1);
    // SAFETY: TUNSETIFF reads and writes one ifreq, and TUNSETPERSIST takes its
    // argument for a number.
    unsafe {
        ask(
            file.as_raw_fd(),
            libc::TUNSETIFF as libc::c_ulong,
            (&raw mut request).cast(),
        )?;
        ask(
            file.as_raw_fd(),
            libc::TUNSETPERSIST as libc::c_ulong,
            outlast,
        )
    }
}

/// # Safety
/// `argument` must point to what the request `what` reads and writes.
unsafe fn ask(fd: RawFd, what: libc::c_ulong, argument: *mut libc::c_void) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the caller vouches for the argument.
    match unsafe { libc::ioctl(fd, what as libc::Ioctl, argument) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The C library's header has it, its Rust binding does not.
#[repr(C)]
struct Route {
    pad1: libc::c_ulong,
    destination: sockaddr,
    gateway: sockaddr,
    mask: sockaddr,
    flags: libc::c_ushort,
    pad2: libc::c_short,
    pad3: libc::c_ulong,
    pad4: *mut libc::c_void,
    metric: libc::c_short,
    device: *mut c_char,
    mtu: libc::c_ulong,
    window: libc::c_ulong,
    round_trip: libc::c_ushort,
}

impl Route {
    const NO_ADDRESS: sockaddr = sockaddr {
        sa_family: 0,
        sa_data: [0; 14],
    };
    const EMPTY: Self = Self {
        pad1: 0,
        destination: Self::NO_ADDRESS,
        gateway: Self::NO_ADDRESS,
        mask: Self::NO_ADDRESS,
        flags: 0,
        pad2: 0,
        pad3: 0,
        pad4: std::ptr::null_mut(),
        metric: 0,
        device: std::ptr::null_mut(),
        mtu: 0,
        window: 0,
        round_trip: 0,
    };
}

fn mask(prefix: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - prefix).unwrap_or_default())
}

fn request(interface: &str) -> ifreq {
    // SAFETY: ifreq is plain old data, for which zeroes are valid.
    let mut request: ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name = name(interface);
    request
}

/// The name with its final zero, cut to what the kernel takes.
fn name(interface: &str) -> [c_char; libc::IFNAMSIZ] {
    let mut name = [0; libc::IFNAMSIZ];
    for (place, byte) in name
        .iter_mut()
        .zip(interface.bytes().take(libc::IFNAMSIZ - 1))
    {
        *place = byte as c_char;
    }
    name
}

fn socket_address(address: Ipv4Addr) -> sockaddr {
    let address = sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.octets()),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: both are plain old data of the same size; the kernel reads a sockaddr
    // by its family, here as the sockaddr_in that it is.
    unsafe { std::mem::transmute(address) }
}
