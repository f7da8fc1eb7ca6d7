//! `kiln quickstart`: a real training job, from start to finish, through the
//! public API of a server of its own.

mod follow;
mod request;
mod summary;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::Args;
use kiln_agent::image::environment::{Environments, Progress};
use kiln_agent::image::table;
use kiln_data::{Credentials, Objects, Transport, archive};
use kiln_jobs::Identity;
use kiln_server::AccessKey;
use tokio::sync::oneshot;

use super::Failure;
use crate::client::Client;
use crate::data_dir;
use crate::external_s3::S3Options;
use crate::server::{Server, Setup};

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "123456789012";

/// The options of `kiln quickstart`.
#[derive(Debug, Args)]
pub struct Quickstart {
    /// Where this server keeps everything; its job stays there to look at.
    #[arg(long, value_name = "DIR", default_value_os_t = data_dir::default().join("quickstart"))]
    data_dir: PathBuf,
}

impl Quickstart {
    /// Runs it.
    pub fn run(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(self.quickstart());
        runtime.shutdown_background();
        outcome
    }

    async fn quickstart(self) -> Result<(), Failure> {
        println!("Kiln quickstart: one real training job on this machine\n");
        prepare_environment()?;
        let setup = Setup {
            data_dir: self.data_dir.clone(),
            cache_dir: data_dir::cache()?,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            identity: Identity {
                region: REGION.parse()?,
                account: ACCOUNT.parse()?,
            },
            s3: S3Options::default(),
            fit: None,
        };
        let server = Server::open(setup).await?;
        let endpoint = server.address().to_string();
        println!(
            "• Server     http://{endpoint} (data in {})",
            self.data_dir.display()
        );
        let key = AccessKey::root(&self.data_dir.canonicalize()?)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = server.run(async {
            // Dropping the sender stops the server as well.
            let _ = stopped.await;
        });
        let work = async {
            let outcome = train(&endpoint, &key).await;
            drop(stop);
            outcome
        };
        let (served, name) = tokio::join!(serving, work);
        served?;
        summary::print_commands(&self.data_dir, &name?);
        Ok(())
    }
}

/// Makes the framework environment that the job will run in, once a machine.
fn prepare_environment() -> Result<(), Failure> {
    let wanted = table::framework_image(request::IMAGE).ok_or("the image is not a framework's")?;
    let begun = Instant::now();
    let mut created = false;
    let mut say = |progress: Progress<'_>| {
        created = true;
        println!("  {}", progress.line);
    };
    Environments::open(&data_dir::cache()?).prepare(&wanted, &mut say)?;
    let how = if created { "created" } else { "ready" };
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "• Environment {} {how} in {seconds:.2} s",
        wanted.describe()
    );
    Ok(())
}

/// Uploads data and code, submits the job, and follows it to its end. Answers
/// its name.
async fn train(endpoint: &str, key: &AccessKey) -> Result<String, Failure> {
    let http = Objects::http_client(Transport::Plain)?;
    let name = format!("quickstart-{}", epoch_seconds());
    let objects = objects(&http, endpoint, key);
    upload(&objects, &name).await?;
    let client = Client::new(http, endpoint.to_owned(), key.clone(), REGION.to_owned());
    let described = follow::submit_and_follow(&client, &request::training_job(&name)).await?;
    summary::print(&described);
    if described["TrainingJobStatus"] != "Completed" {
        let reason = described["FailureReason"]
            .as_str()
            .unwrap_or("see the log above");
        return Err(format!("the training job did not complete: {reason}").into());
    }
    let model = request::model_key(&name);
    let (found, _) = objects.list_page(request::BUCKET, &model, None).await?;
    let size = found.first().ok_or("the model is not in S3")?.size;
    summary::print_model(&format!("s3://{}/{model}", request::BUCKET), size);
    Ok(name)
}

async fn upload(objects: &Objects, name: &str) -> Result<(), Failure> {
    objects.create_bucket(request::BUCKET).await?;
    for (key, content) in request::DATA {
        objects
            .put(request::BUCKET, key, Bytes::from_static(content.as_bytes()))
            .await?;
        println!(
            "• Uploaded   s3://{}/{key} ({} bytes)",
            request::BUCKET,
            content.len()
        );
    }
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join(request::PROGRAM), request::SCRIPT)?;
    let source = archive::write_archive(directory.path(), Vec::new())?;
    let key = request::source_key(name);
    println!(
        "• Uploaded   s3://{}/{key} ({} bytes)",
        request::BUCKET,
        source.len()
    );
    objects.put(request::BUCKET, &key, source.into()).await?;
    Ok(())
}

fn objects(http: &reqwest::Client, endpoint: &str, key: &AccessKey) -> Objects {
    let url = format!("http://{endpoint}");
    let keys = Credentials {
        access_key: key.access_key_id.clone(),
        secret_key: key.secret_access_key.clone(),
        session_token: None,
    };
    Objects::new(
        http.clone(),
        Arc::new(move || Ok(url.clone())),
        REGION,
        &keys,
    )
}

fn epoch_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
