//! A channel over a few objects, and a work that reads its pipes.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kiln_data::catalogue::Catalogue;
use kiln_data::channel::{Channel, Mode, Shard, Source};
use kiln_data::pipe::{self, Fifos};
use kiln_data::{DataError, Objects};

use crate::store::{self, Bodies};

pub struct World {
    pub objects: Objects,
    pub channel: Channel,
    pub directory: tempfile::TempDir,
}

impl World {
    /// A channel `c` over everything under `data/`.
    pub async fn new<const N: usize>(bodies: [(&str, Vec<u8>); N]) -> Self {
        let named = bodies.map(|(key, body)| (key.to_owned(), body));
        Self::of(Bodies::from(named)).await
    }

    pub async fn of(bodies: Bodies) -> Self {
        let source = Source::Prefix {
            bucket: "b".to_owned(),
            prefix: "data/".to_owned(),
        };
        let channel = Channel {
            name: "c".to_owned(),
            source,
            shard: Shard::WHOLE,
            shuffle: None,
            mode: Mode::Pipe {
                decompress: false,
                record_io: false,
            },
        };
        Self {
            objects: store::serve(bodies).await,
            channel,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub fn presented(mut self, decompress: bool, record_io: bool) -> Self {
        self.channel.mode = Mode::Pipe {
            decompress,
            record_io,
        };
        self
    }

    pub fn fifos(&self) -> Fifos {
        let pipes = self.directory.path().join("pipes");
        if !pipes.exists() {
            std::fs::create_dir(&pipes).unwrap();
        }
        Fifos::create(&pipes, "c").unwrap()
    }

    /// Serves the channel until something fails.
    pub async fn serve(&self, fifos: &mut Fifos) -> DataError {
        let file = self.directory.path().join("catalogue");
        let listing = Catalogue::list(&self.objects, &self.channel.source, &file);
        let catalogue = match listing.await {
            Ok(catalogue) => catalogue,
            Err(error) => return error,
        };
        let served = pipe::serve(&self.objects, &catalogue, &self.channel, fifos).await;
        let Err(error) = served;
        error
    }

    /// Serves the channel while the work runs, and answers what it answers.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Pipes) -> T + Send + 'static,
    ) -> T {
        let mut fifos = self.fifos();
        let pipes = Pipes(self.directory.path().join("pipes"));
        let work = tokio::task::spawn_blocking(move || work(pipes));
        tokio::select! {
            done = work => done.unwrap(),
            error = self.serve(&mut fifos) => {
                self.release();
                panic!("{error}")
            }
        }
    }

    /// Frees a work that waits for a pipe that nobody will serve.
    fn release(&self) {
        let pipes = self.directory.path().join("pipes");
        for name in names(&pipes) {
            let mut options = std::fs::OpenOptions::new();
            let _ = options.read(true).write(true).open(pipes.join(name));
        }
        std::fs::remove_dir_all(pipes).unwrap();
    }
}

/// The directory of the pipes, as the work sees it.
pub struct Pipes(pub PathBuf);

impl Pipes {
    pub fn path(&self, epoch: u32) -> PathBuf {
        self.0.join(format!("c_{epoch}"))
    }

    /// Everything that comes through the pipe of an epoch.
    pub fn read(&self, epoch: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.open(epoch).read_to_end(&mut bytes).unwrap();
        bytes
    }

    pub fn open(&self, epoch: u32) -> std::fs::File {
        std::fs::File::open(self.path(epoch)).unwrap()
    }

    pub fn wait_for(&self, epoch: u32) {
        wait_until(|| self.path(epoch).exists());
    }
}

pub fn wait_until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it never holds");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The payloads of RecordIO records, none of them in parts.
pub fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        assert_eq!(bytes[..4], [0x0a, 0x23, 0xd7, 0xce]);
        let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        records.push(bytes[8..8 + length].to_vec());
        bytes = &bytes[8 + length.next_multiple_of(4)..];
    }
    records
}
