//! Carries the bytes of one connection between two sockets.

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::TcpStream;

/// Large enough that system calls do not bound the throughput.
const BUFFER_BYTES: usize = 256 * 1024;

/// Copies both ways until both sides have finished. Each side learns of the
/// other's end as it happened: a half-close as a half-close, and a broken
/// connection as a broken one, so that a torn download never looks complete.
pub(super) async fn relay(mut inside: TcpStream, mut outside: TcpStream) {
    let _ = inside.set_nodelay(true);
    let _ = outside.set_nodelay(true);
    let copied =
        copy_bidirectional_with_sizes(&mut inside, &mut outside, BUFFER_BYTES, BUFFER_BYTES).await;
    if copied.is_err() {
        // With no time to linger, closing sends a reset.
        let _ = inside.set_zero_linger();
        let _ = outside.set_zero_linger();
    }
}
