//! `kiln agent`

use std::path::Path;

use super::Failure;

/// Lives the instance whose directory this is.
pub fn run(directory: &Path) -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let lived = runtime.block_on(kiln_agent::agent::run(directory));
    // An environment that nobody waits for any more may be in the making, which
    // would take minutes.
    runtime.shutdown_background();
    Ok(lived?)
}
