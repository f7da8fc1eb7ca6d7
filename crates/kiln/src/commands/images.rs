//! `kiln images`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kiln_agent::image::ImageStore;

use super::{DataDir, Failure};
use crate::data_dir;

/// The options of `kiln images`.
#[derive(Debug, Args)]
pub struct Images {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Register an OCI archive, or a root file system as a directory or tar,
    /// under the name by which jobs ask for it.
    Add {
        /// What TrainingImage will say.
        name: String,
        /// The archive or directory.
        path: PathBuf,
        #[command(flatten)]
        directory: DataDir,
    },
    /// List the registered images.
    List(DataDir),
    /// Forget an image.
    Remove {
        /// The image's name.
        name: String,
        #[command(flatten)]
        directory: DataDir,
    },
}

impl Images {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Add {
                name,
                path,
                directory,
            } => {
                let image = open(&directory)?.add(&name, &path)?;
                println!("{name} is sha256:{} ({} bytes)", image.digest, image.bytes);
            }
            Command::List(directory) => {
                for image in open(&directory)?.list()? {
                    println!(
                        "{}\tsha256:{}\t{} bytes",
                        image.name, image.digest, image.bytes
                    );
                }
            }
            Command::Remove { name, directory } => {
                if !open(&directory)?.remove(&name)? {
                    return Err(format!("no image is registered as '{name}'").into());
                }
            }
        }
        Ok(())
    }
}

fn open(directory: &DataDir) -> Result<ImageStore, Failure> {
    Ok(ImageStore::open(&data_dir::create(&directory.data_dir)?)?)
}
