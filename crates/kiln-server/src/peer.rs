//! Who is at the other end of the connection: known to all that happens for a
//! request, the protocol crate of S3 in between included.

use std::net::IpAddr;

tokio::task_local! {
    static PEER: Option<IpAddr>;
}

/// The address that a request came from, put into its extensions by who accepted
/// the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Does something for a peer.
pub(crate) async fn on_behalf_of<T>(peer: Option<Peer>, work: impl Future<Output = T>) -> T {
    PEER.scope(peer.map(|Peer(address)| address), work).await
}

/// The address of the peer for whom this is done.
pub(crate) fn address() -> Option<IpAddr> {
    PEER.try_with(|peer| *peer).ok().flatten()
}
