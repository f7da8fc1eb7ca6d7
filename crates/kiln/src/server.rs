//! Composition: a store, an engine, the jobs and the front door, on one port.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use kiln_agent::runtime::ControlAddress;
use kiln_agent::runtime::embedded::probe;
use kiln_agent::runtime::engine::EngineRuntime;
use kiln_engine::{Fitting, LocalEngine, LocalSettings};
use kiln_jobs::{Identity, Jobs, Settings};
use kiln_s3::ObjectStore;
use kiln_server::{
    AccessKey, FrontDoor, Keyring, Messenger, ObjectService, Peer, keep_logs, session_keys,
};
use kiln_store::Store;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::commands::Failure;
use crate::configuration::Configuration;
use crate::data_dir;
use crate::external_s3::{ExternalS3, S3Options};
use crate::machine;
use crate::memory;

/// How long requests in flight may take when the server stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// A client that sends no whole request head for this long is let go.
const HEAD_PATIENCE: Duration = Duration::from_secs(75);

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where framework environments are kept.
    pub cache_dir: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Region and account.
    pub identity: Identity,
    /// Another S3 than the embedded one.
    pub s3: S3Options,
    /// What becomes of jobs that are promised more than the machine has, whatever
    /// the configuration says.
    pub fit: Option<Fitting>,
}

/// A server that is listening.
pub struct Server {
    door: Arc<FrontDoor>,
    jobs: Jobs,
    listener: TcpListener,
    address: SocketAddr,
    data_dir: PathBuf,
    /// Tells the webhook, if there is one.
    messenger: Option<Messenger>,
    /// Held as long as the server lives.
    _claim: File,
}

impl Server {
    /// Opens the data directory and begins to listen. Jobs that an earlier
    /// server left are found again.
    pub async fn open(setup: Setup) -> Result<Self, Failure> {
        kiln_agent::agent::raise_descriptor_limit();
        let data_dir = data_dir::create(&setup.data_dir)?;
        let claim = data_dir::claim(&data_dir)?;
        let configuration = Configuration::read(&data_dir)?;
        check_machine(&configuration).await?;
        let root = AccessKey::root(&data_dir)?;
        let external = ExternalS3::of(
            &setup.s3,
            &configuration.s3,
            |name| std::env::var(name).ok(),
            &setup.identity.region,
            &root,
        )?;
        let store = Store::open(&data_dir)?;
        let webhook = configuration.webhook.as_ref();
        let messenger = webhook
            .map(|webhook| Messenger::new(store.announcements.clone(), webhook))
            .transpose()?;
        let objects = match &external {
            None => ObjectService::Embedded(ObjectStore::open(&data_dir)?),
            Some(external) => ObjectService::Remote(external.open().await?),
        };
        let listener = TcpListener::bind(setup.listen).await.map_err(|error| {
            format!(
                "cannot listen on {}: {error}; choose another with --listen",
                setup.listen
            )
        })?;
        let address = listener.local_addr()?;
        data_dir::announce(&data_dir, address, &setup.identity.region)?;
        let keys = session_keys(&data_dir)?;
        let engine = engine(&data_dir, &configuration, setup.fit)?;
        let jobs = Jobs::new(
            settings(&setup, &data_dir, configuration, external)?,
            store.clone(),
            Arc::new(engine),
            objects.buckets(),
            keys,
        );
        let principals = store.principals.clone();
        let identity = setup.identity.clone();
        let keyring = Keyring::new(root, jobs.clone(), principals, identity);
        // It ends with the process: what it does not come to is done the next time.
        tokio::spawn(keep_logs(store.logs.clone()));
        let door = FrontDoor::new(setup.identity, keyring, jobs.clone(), store, objects);
        Ok(Self {
            door: Arc::new(door),
            jobs,
            listener,
            address,
            data_dir,
            messenger,
            _claim: claim,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs jobs and answers requests until `stop` returns.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        self.jobs.start().await?;
        let messenger = self
            .messenger
            .map(|messenger| tokio::spawn(messenger.run()).abort_handle());
        let used = Arc::new(Notify::new());
        let housekeeping = tokio::spawn(memory::give_back_in_quiet(used.clone())).abort_handle();
        let graceful = GracefulShutdown::new();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            let (stream, peer) = match accepted {
                Ok((stream, address)) => (stream, Peer(address.ip())),
                Err(error) => {
                    // Out of file descriptors, most likely: others must end first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // Small answers should not wait for more.
            let _ = stream.set_nodelay(true);
            let (door, asked) = (self.door.clone(), used.clone());
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(peer);
                asked.notify_one();
                let door = door.clone();
                async move { Ok::<_, std::convert::Infallible>(door.answer(request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                // A client may say all it has to say and then listen.
                .half_close(true)
                .header_read_timeout(HEAD_PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            let used = used.clone();
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection broke off");
                }
                used.notify_one();
            });
        }
        drop(self.listener);
        housekeeping.abort();
        if let Some(messenger) = messenger {
            messenger.abort();
        }
        data_dir::withdraw(&self.data_dir);
        let _ = tokio::time::timeout(FAREWELL, graceful.shutdown()).await;
        Ok(())
    }
}

fn settings(
    setup: &Setup,
    data_dir: &Path,
    configuration: Configuration,
    external: Option<ExternalS3>,
) -> Result<Settings, Failure> {
    std::fs::create_dir_all(&setup.cache_dir)?;
    Ok(Settings {
        identity: setup.identity.clone(),
        control: ControlAddress::File(data_dir::address_file(data_dir)),
        data_dir: data_dir.to_owned(),
        cache_dir: setup.cache_dir.canonicalize()?,
        tolerance: configuration.tolerance(),
        announced: configuration.webhook.is_some(),
        preempt_spot: configuration.preempt_spot,
        images: configuration.image,
        engine_socket: configuration.engine_socket,
        compiler_images: configuration.compilation.images()?,
        eagle_image: configuration.optimization.eagle_image,
        file_systems: configuration.file_system,
        fast_file: configuration.fast_file,
        external_store: external.map(|external| external.plan),
    })
}

fn engine(
    data_dir: &Path,
    configuration: &Configuration,
    fit: Option<Fitting>,
) -> Result<LocalEngine, Failure> {
    let settings = LocalSettings {
        program: kiln_agent::agent::PROGRAM.into(),
        instances: data_dir.join("instances"),
        room: machine::room(configuration)?,
        types: machine::instance_types(configuration)?,
        fitting: fit.unwrap_or(configuration.fit),
    };
    Ok(LocalEngine::open(settings)?)
}

/// Says what this machine's kernel refuses. Where it cannot contain jobs at all
/// and no container engine is there to do it, a server would refuse every job:
/// it does not start, unless configured to.
async fn check_machine(configuration: &Configuration) -> Result<(), Failure> {
    let tolerance = configuration.tolerance();
    let weaknesses = probe();
    for weakness in &weaknesses {
        eprintln!("kiln: {}", weakness.announcement(tolerance));
    }
    let contained = !weaknesses
        .iter()
        .any(|weakness| weakness.forbids(tolerance));
    if contained || configuration.serve_regardless {
        return Ok(());
    }
    match EngineRuntime::connect(configuration.engine_socket.clone()).await {
        Ok(_) => {
            eprintln!("kiln: jobs run in the container engine only; the others are refused");
            Ok(())
        }
        Err(error) => Err(format!(
            "jobs cannot be run safely on this machine (see above), and {error}. Run as root, \
             start a container engine, or set serve_regardless = true in kiln.toml to start a \
             server that refuses such jobs one by one"
        )
        .into()),
    }
}
