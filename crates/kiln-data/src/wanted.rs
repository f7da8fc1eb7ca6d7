//! Work on a thread that may block, for as long as somebody waits for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::DataError;
use crate::catalogue::blocking;

/// Says whether anyone still waits for what a thread does.
#[derive(Debug, Default, Clone)]
pub(crate) struct Wanted {
    let_go: Arc<AtomicBool>,
}

impl Wanted {
    /// # Errors
    /// When nobody does; nobody will see this error either.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.let_go.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(())
    }
}

/// Tells the thread when the future that waits for it is dropped.
struct Waiting(Wanted);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.let_go.store(true, Ordering::Relaxed);
    }
}

/// Does the work on a thread that may block. It looks every now and then whether
/// it is still wanted, since a thread cannot be ended from outside.
pub(crate) async fn while_wanted<T: Send + 'static>(
    work: impl FnOnce(&Wanted) -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    let wanted = Wanted::default();
    let _waiting = Waiting(wanted.clone());
    blocking(move || work(&wanted)).await
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_thread_learns_that_nobody_waits_any_more() {
        let (sender, ended) = mpsc::channel();
        let work = while_wanted(move |wanted| {
            while wanted.check().is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let _ = sender.send(());
            Ok(())
        });
        let let_go = tokio::time::timeout(Duration::from_millis(20), work).await;
        assert!(let_go.is_err());
        assert!(ended.recv_timeout(Duration::from_secs(10)).is_ok());
    }
}
