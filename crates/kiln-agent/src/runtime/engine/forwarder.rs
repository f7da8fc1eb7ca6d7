//! Listens on the engine's bridge for a container's connections to the control
//! plane.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use super::super::{ControlAddress, RuntimeError, endpoint};

const BACKLOG: u32 = 1024;
/// Of one container at a time; far below what an agent may have open.
const MOST_CONNECTIONS: usize = 256;

/// A listening address whose connections end at the control plane. Dropping it
/// closes them all.
pub(super) struct Forwarder {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Forwarder {
    /// Listens on a free port of `host`, which may be an address that this
    /// machine is only going to have when it is `expected`.
    pub(super) fn listen(
        host: Ipv4Addr,
        expected: bool,
        control: ControlAddress,
    ) -> Result<Self, RuntimeError> {
        let (listener, address) = bind(host, expected).map_err(|error| refused(host, error))?;
        Ok(Self {
            address,
            accepting: tokio::spawn(endpoint::serve(listener, control, MOST_CONNECTIONS)),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn bind(host: Ipv4Addr, expected: bool) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpSocket::new_v4()?;
    if expected {
        setsockopt(&socket, sockopt::IpFreebind, &true)?;
    }
    socket.bind(SocketAddr::from((host, 0)))?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn refused(host: Ipv4Addr, source: io::Error) -> RuntimeError {
    if source.kind() == io::ErrorKind::AddrNotAvailable {
        return RuntimeError::Machine(format!(
            "the engine's bridge address {host} is not on this machine, as with a rootless or a \
             remote engine, so containers could not reach the server"
        ));
    }
    RuntimeError::Io {
        doing: format!("listening on the engine's bridge address {host}"),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    const A_MOMENT: Duration = Duration::from_millis(100);

    async fn answer_one(listener: TcpListener) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4];
        stream.read_exact(&mut asked).await.unwrap();
        stream.write_all(&asked).await.unwrap();
    }

    async fn ask(address: SocketAddr) -> Vec<u8> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_server_that_moves_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("address");
        let control = ControlAddress::File(file.clone());
        let forwarder = Forwarder::listen(Ipv4Addr::LOCALHOST, false, control).unwrap();
        for _ in 0..2 {
            let asking = tokio::spawn(ask(forwarder.address()));
            tokio::time::sleep(A_MOMENT).await;
            let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
            std::fs::write(&file, server.local_addr().unwrap().to_string()).unwrap();
            answer_one(server).await;
            assert_eq!(asking.await.unwrap(), b"ping");
        }
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_in_words() {
        let control = ControlAddress::Fixed(([127, 0, 0, 1], 1).into());
        let foreign = Ipv4Addr::new(198, 51, 100, 1);
        let refusal = Forwarder::listen(foreign, false, control.clone());
        let refusal = refusal.err().unwrap();
        assert!(
            refusal.to_string().contains("not on this machine"),
            "{refusal}"
        );
        let expected = Forwarder::listen(foreign, true, control).unwrap();
        assert_eq!(expected.address().ip(), foreign);
    }
}
