//! `kiln serve`

use std::io::IsTerminal;
use std::net::SocketAddr;

use clap::Args;
use kiln_engine::Fitting;
use kiln_jobs::Identity;
use kiln_model::{AccountId, Region};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{DataDir, Failure};
use crate::data_dir;
use crate::external_s3::S3Options;
use crate::server::{Server, Setup};

/// The S3 protocol crate logs whole requests, tokens included, and calls every
/// missing object an error.
const SILENCED: &str = "s3s=off";

/// The options of `kiln serve`.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    directory: DataDir,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878")]
    listen: SocketAddr,
    /// The region that clients see.
    #[arg(long, default_value = "us-east-1")]
    region: Region,
    /// The account that clients see.
    #[arg(long, default_value = "123456789012")]
    account: AccountId,
    /// What becomes of a job whose instances promise more than this machine has:
    /// scale runs it with what there is, strict refuses it.
    #[arg(long, value_name = "scale|strict")]
    fit: Option<Fitting>,
    #[command(flatten)]
    s3: S3Options,
}

impl Serve {
    /// Serves until SIGINT or SIGTERM.
    pub fn run(self) -> Result<(), Failure> {
        let filter = EnvFilter::try_from_env("KILN_LOG").unwrap_or_else(|_| "warn".into());
        tracing_subscriber::fmt()
            .with_env_filter(filter.add_directive(SILENCED.parse()?))
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .init();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(self.serve());
        // What still waits on a blocking thread is not waited for.
        runtime.shutdown_background();
        outcome
    }

    async fn serve(self) -> Result<(), Failure> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let data_dir = self.directory.data_dir;
        let setup = Setup {
            data_dir: data_dir.clone(),
            cache_dir: data_dir::cache()?,
            listen: self.listen,
            identity: Identity {
                region: self.region,
                account: self.account,
            },
            s3: self.s3,
            fit: self.fit,
        };
        let server = Server::open(setup).await?;
        println!(
            "kiln is ready at http://{} (data in {})",
            server.address(),
            data_dir.display()
        );
        let stop = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        server.run(stop).await
    }
}
