//! `kiln interrupt`

use clap::Args;
use kiln_data::{Objects, Transport};
use kiln_model::JobName;
use kiln_server::{AccessKey, interrupt_path};

use super::{DataDir, Failure};
use crate::client::Client;
use crate::data_dir;

/// The options of `kiln interrupt`.
#[derive(Debug, Args)]
pub struct Interrupt {
    /// The training job's name.
    job: JobName,
    #[command(flatten)]
    directory: DataDir,
}

impl Interrupt {
    /// Asks the server that runs on the data directory, as its owner.
    pub fn run(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.ask())
    }

    async fn ask(self) -> Result<(), Failure> {
        let directory = data_dir::create(&self.directory.data_dir)?;
        let running = data_dir::read_address(&directory).zip(data_dir::read_region(&directory));
        let Some((address, region)) = running else {
            return Err(format!(
                "no server runs on {}; start one with: kiln serve --data-dir {0}",
                directory.display()
            )
            .into());
        };
        let client = Client::new(
            Objects::http_client(Transport::Plain)?,
            address.to_string(),
            AccessKey::root(&directory)?,
            region.to_string(),
        );
        let path = interrupt_path(self.job.as_ref());
        client.post(&path, "Interrupting the job").await?;
        println!("{} is being interrupted", self.job);
        Ok(())
    }
}
