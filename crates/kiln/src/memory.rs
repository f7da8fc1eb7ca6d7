//! Gives the memory that requests needed back to the system once they are over.
//!
//! What is freed the allocator keeps for what comes next, in places of their own
//! for many threads. A server that has moved large objects would hold a hundred
//! megabytes for as long as it then lies idle.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// When nobody has asked for anything for so long, the next rush is not near.
const QUIET: Duration = Duration::from_secs(5);

/// Gives memory back each time a rush is over, for ever. `used` is rung whenever
/// something was asked for or a connection has ended.
pub async fn give_back_in_quiet(used: Arc<Notify>) {
    loop {
        used.notified().await;
        loop {
            tokio::time::sleep(QUIET).await;
            // A bell that rang while nobody listened is heard once, at once.
            let rung = tokio::time::timeout(Duration::ZERO, used.notified()).await;
            if rung.is_err() {
                break;
            }
        }
        if let Err(error) = tokio::task::spawn_blocking(give_back).await {
            tracing::debug!(%error, "memory could not be given back");
        }
    }
}

#[cfg(target_env = "gnu")]
fn give_back() {
    // SAFETY: takes a number, and touches nothing that is not free.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators have their own ways.
#[cfg(not(target_env = "gnu"))]
fn give_back() {}
