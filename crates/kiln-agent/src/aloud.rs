//! Work that blocks for as long as it takes, and says in the job's log what it does.

use tokio::sync::mpsc;
use tokio::task::JoinError;

use crate::report::Report;
use crate::spool::Spool;

/// Does the work on a thread that may block, and writes what it says into the log.
/// The work goes on when this is dropped.
///
/// # Errors
/// When the work panics.
pub(crate) async fn aloud<T: Send + 'static>(
    spool: &Spool,
    work: impl FnOnce(&mut dyn FnMut(String)) -> T + Send + 'static,
) -> Result<T, JoinError> {
    let (say, mut said) = mpsc::unbounded_channel();
    let working = tokio::task::spawn_blocking(move || {
        work(&mut |line| {
            // Where nobody waits any more, the job has ended, and its log too.
            let _ = say.send(line);
        })
    });
    while let Some(line) = said.recv().await {
        // A log that cannot be written ends the job at its next line.
        let _ = spool.append([Report::Log(line)]);
    }
    working.await
}
