//! `kiln cp`: files to objects and objects to files.

mod place;

use std::io::Write;
use std::path::Path;

use clap::Args;
use kiln_data::{DataError, Objects, local_path};
use kiln_model::S3Uri;
use serde_json::json;

use self::place::Place;
use super::Failure;
use crate::connection::{Server, Session};
use crate::terminal::{Interrupts, Progress, say};
use crate::transfer::{self, Download, LocalFile, Store, Upload};

/// The options of `kiln cp`.
#[derive(Debug, Args)]
pub struct Cp {
    /// A file or directory, or s3://bucket/key.
    #[arg(value_name = "SRC", value_hint = clap::ValueHint::AnyPath)]
    source: Place,
    /// Where it goes: the other of the two. What ends with / is a directory, and - is
    /// the standard output.
    #[arg(value_name = "DST", value_hint = clap::ValueHint::AnyPath)]
    destination: Place,
    /// Copy a directory, or all below a prefix.
    #[arg(short, long)]
    recursive: bool,
    /// Print what was copied as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// What was copied.
#[derive(Default)]
struct Copied {
    files: usize,
    bytes: u64,
}

impl Cp {
    /// Copies.
    pub fn run(self) -> Result<(), Failure> {
        let server = self.server.clone();
        server.run(async |session: &Session| {
            let interrupts = Interrupts::listen()?;
            let store = Store {
                objects: &session.objects,
                interrupts: &interrupts,
            };
            let copied = match (&self.source, &self.destination) {
                (Place::Local(from), Place::Object(to)) => self.upload(store, from, to).await?,
                (Place::Object(from), Place::Local(to)) => self.download(store, from, to).await?,
                (Place::Object(from), Place::Stream) => {
                    return pour(&session.objects, from).await;
                }
                (Place::Stream, Place::Object(_)) => return Err(no_input().into()),
                _ => return Err(one_of_each().into()),
            };
            self.report(&copied)
        })
    }

    async fn upload(&self, store: Store<'_>, from: &Path, to: &S3Uri) -> Result<Copied, Failure> {
        let uploads = if from.is_dir() {
            self.require_recursive(&from.display())?;
            let found = transfer::below(from)?;
            if found.is_empty() {
                return Err(format!("there is no file in {}", from.display()).into());
            }
            found.into_iter().map(|file| below(to, file)).collect()
        } else {
            let file = transfer::single(from)?;
            let key = place::key_for(to.key(), &file.name);
            vec![Upload { file, key }]
        };
        let bytes = uploads.iter().map(|one| one.file.bytes).sum();
        let progress = self.progress(bytes);
        transfer::upload(store, to.bucket(), &uploads, &progress).await?;
        progress.end();
        let files = uploads.len();
        Ok(Copied { files, bytes })
    }

    async fn download(&self, store: Store<'_>, from: &S3Uri, to: &Path) -> Result<Copied, Failure> {
        if !self.recursive {
            if place::is_directory(from.key()) {
                self.require_recursive(from)?;
            }
            return self.download_one(store, from, to).await;
        }
        let prefix = place::directory_prefix(from.key());
        let mut wanted = Vec::new();
        let mut bytes = 0;
        for object in transfer::list(store.objects, from.bucket(), &prefix).await? {
            // Markers of folders have no path.
            if let Some(path) = local_path(&prefix, &object.key)? {
                let path = to.join(path);
                bytes += object.size;
                let key = object.key;
                wanted.push(Download { key, path });
            }
        }
        if wanted.is_empty() {
            return Err(format!("there is nothing at s3://{}/{prefix}", from.bucket()).into());
        }
        let progress = self.progress(bytes);
        transfer::download(store, from.bucket(), &wanted, &progress).await?;
        progress.end();
        let files = wanted.len();
        Ok(Copied { files, bytes })
    }

    async fn download_one(
        &self,
        store: Store<'_>,
        from: &S3Uri,
        to: &Path,
    ) -> Result<Copied, Failure> {
        let (bucket, key) = (from.bucket(), from.key());
        let head = match store.objects.head(bucket, key).await {
            Ok(head) => head,
            Err(error) => return Err(why_not(store.objects, from, error).await),
        };
        let bytes = head.size.unwrap_or(0);
        let path = place::path_for(to, to.is_dir(), key);
        let wanted = [Download {
            key: key.to_owned(),
            path,
        }];
        let progress = self.progress(bytes);
        transfer::download(store, bucket, &wanted, &progress).await?;
        progress.end();
        Ok(Copied { files: 1, bytes })
    }

    fn require_recursive(&self, what: &impl std::fmt::Display) -> Result<(), Failure> {
        if self.recursive {
            return Ok(());
        }
        Err(directory(what))
    }

    fn progress(&self, bytes: u64) -> Progress {
        if self.json {
            Progress::hidden()
        } else {
            Progress::begin("Copying", bytes)
        }
    }

    fn report(&self, copied: &Copied) -> Result<(), Failure> {
        let Copied { files, bytes } = copied;
        if self.json {
            say(json!({"Files": files, "Bytes": bytes}))?;
        } else if crate::terminal::is_watched() {
            let noun = if *files == 1 { "file" } else { "files" };
            let size = indicatif::BinaryBytes(*bytes);
            say(format!("{files} {noun}, {size}, to {}", self.destination))?;
        }
        Ok(())
    }
}

fn one_of_each() -> &'static str {
    "one of the two places must be on this machine, and the other must begin with s3://"
}

fn no_input() -> &'static str {
    "the standard input is not copied, as its size is not known; put it in a file first"
}

/// Prints an object's content.
async fn pour(objects: &Objects, from: &S3Uri) -> Result<(), Failure> {
    let (bucket, key) = (from.bucket(), from.key());
    let mut body = match objects.read(bucket, key).await {
        Ok(body) => body,
        Err(error) => return Err(why_not(objects, from, error).await),
    };
    let mut output = std::io::stdout();
    while let Some(chunk) = body.chunk().await? {
        output.write_all(&chunk)?;
    }
    Ok(output.flush()?)
}

/// Why an object cannot be read, where a status alone does not tell.
async fn why_not(objects: &Objects, from: &S3Uri, error: DataError) -> Failure {
    let (bucket, key) = (from.bucket(), from.key());
    match &error {
        DataError::Refused { status: 404, .. } => {}
        DataError::Refused { status: 403, .. } => {
            return format!("{from} may not be read with this key; it takes s3:GetObject").into();
        }
        _ => return error.fetching(bucket, key).into(),
    }
    let prefix = place::directory_prefix(key);
    match objects.list_page(bucket, &prefix, None).await {
        Ok((found, _)) if !found.is_empty() => directory(from),
        Err(DataError::Refused { code, .. }) if code == "NoSuchBucket" => {
            format!("there is no bucket {bucket}").into()
        }
        _ => format!("there is no object {from}").into(),
    }
}

fn directory(what: &impl std::fmt::Display) -> Failure {
    format!("{what} is a directory; copy all in it with: kiln cp -r").into()
}

fn below(to: &S3Uri, file: LocalFile) -> Upload {
    let key = place::directory_prefix(to.key()) + &file.name;
    Upload { file, key }
}
