//! Which server a command speaks to: the one that the environment names as for
//! any AWS client, else the one that runs on the data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use kiln_data::{Credentials, DataError, Objects, Patience, Transport};
use kiln_server::AccessKey;

use crate::client::{Client, ClientError, Location};
use crate::commands::Failure;
use crate::data_dir;
use crate::transfer::TransferError;

const USUAL_REGION: &str = "us-east-1";
/// A person waits in front of the terminal.
const PATIENCE: Patience = Patience {
    unanswered: Some(Duration::from_secs(5)),
    troubled: Duration::from_secs(30),
    stalled: Duration::from_secs(60),
};

/// The choice of a server.
#[derive(Debug, Clone, Default, Args)]
pub struct Server {
    /// Speak to the server that runs on this data directory. Without it, to the
    /// one at AWS_ENDPOINT_URL; without that, to the one that runs on
    /// KILN_DATA_DIR or on the usual directory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Clients of the chosen server.
pub struct Session {
    /// Its job API and its logs.
    pub client: Client,
    /// Its objects.
    pub objects: Objects,
}

/// Why no server could be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// None has announced itself.
    #[error("no server runs on {0}; start one with: kiln serve --data-dir {0}")]
    NotRunning(PathBuf),
    /// One is named, and does not answer.
    #[error("{cause}; {remedy}")]
    Away {
        /// Who does not answer, and how.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// One is named without keys.
    #[error(
        "AWS_ENDPOINT_URL is set, and {0} is not; set both with: eval \"$(kiln env)\", or name \
         the server with --data-dir"
    )]
    NoKey(&'static str),
    /// The server does not know the key.
    #[error("{0}; take the server's own keys with: eval \"$(kiln env)\"")]
    WrongKey(ClientError),
    /// An endpoint is no URL.
    #[error("{0} is not the URL of an endpoint, such as http://127.0.0.1:7878")]
    NoUrl(String),
}

/// Where the server is, and the keys to it.
#[derive(Debug)]
struct Endpoint {
    url: String,
    s3_url: String,
    key: AccessKey,
    session_token: Option<String>,
    region: String,
    /// Whose server it is, and where that says where it is.
    directory: Option<PathBuf>,
    /// What to do when nobody answers there.
    remedy: String,
}

impl Server {
    /// Does the work with clients of the server, and explains what goes wrong
    /// between the two.
    pub fn run<F>(&self, work: F) -> Result<(), Failure>
    where
        F: AsyncFnOnce(&Session) -> Result<(), Failure>,
    {
        let endpoint = self.endpoint()?;
        let session = endpoint.session()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(work(&session));
        // A question that is still being asked must not hold the process.
        runtime.shutdown_background();
        outcome.map_err(|error| endpoint.explained(error))
    }

    fn endpoint(&self) -> Result<Endpoint, Failure> {
        if let Some(directory) = &self.data_dir {
            return Endpoint::running_on(directory);
        }
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(endpoint) = Endpoint::in_environment(read)? {
            return Ok(endpoint);
        }
        let directory = read("KILN_DATA_DIR").map_or_else(data_dir::default, PathBuf::from);
        Endpoint::running_on(&directory)
    }
}

impl Endpoint {
    fn running_on(directory: &Path) -> Result<Self, Failure> {
        let running = data_dir::read_address(directory).zip(data_dir::read_region(directory));
        let Some((address, region)) = running else {
            return Err(ConnectionError::NotRunning(directory.to_owned()).into());
        };
        let url = format!("http://{address}");
        Ok(Self {
            s3_url: url.clone(),
            url,
            key: AccessKey::root(directory)?,
            session_token: None,
            region: region.to_string(),
            directory: Some(directory.to_owned()),
            remedy: format!(
                "start the server with: kiln serve --data-dir {}",
                directory.display()
            ),
        })
    }

    fn in_environment(
        read: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ConnectionError> {
        let Some(url) = read("AWS_ENDPOINT_URL") else {
            return Ok(None);
        };
        let needed = |name| read(name).ok_or(ConnectionError::NoKey(name));
        let key = AccessKey {
            access_key_id: needed("AWS_ACCESS_KEY_ID")?,
            secret_access_key: needed("AWS_SECRET_ACCESS_KEY")?,
        };
        let region = read("AWS_REGION").or_else(|| read("AWS_DEFAULT_REGION"));
        let bare = |url: String| url.trim_end_matches('/').to_owned();
        Ok(Some(Self {
            s3_url: bare(read("AWS_ENDPOINT_URL_S3").unwrap_or_else(|| url.clone())),
            url: bare(url),
            key,
            session_token: read("AWS_SESSION_TOKEN"),
            region: region.unwrap_or_else(|| USUAL_REGION.to_owned()),
            directory: None,
            remedy: "AWS_ENDPOINT_URL says that a server is there; start it with: kiln serve, or \
                     set the variable anew with: eval \"$(kiln env)\""
                .to_owned(),
        }))
    }

    fn session(&self) -> Result<Session, Failure> {
        let http = Objects::http_client(Transport::of(&self.url))?;
        let (scheme, authority) = parts(&self.url)?;
        parts(&self.s3_url)?;
        let location = self.location(authority.clone());
        let client = Client::new(http, authority, self.key.clone(), self.region.clone())
            .with_location(location)
            .with_scheme(&scheme)
            .with_session_token(self.session_token.clone());
        let objects = self.objects()?;
        Ok(Session { client, objects })
    }

    /// Where the server is, each time that it is asked: one that was started anew
    /// may listen elsewhere.
    fn location(&self, first: String) -> Location {
        let Some(directory) = self.directory.clone() else {
            return Arc::new(move || first.clone());
        };
        Arc::new(move || {
            let now = data_dir::read_address(&directory);
            now.map_or_else(|| first.clone(), |address| address.to_string())
        })
    }

    fn objects(&self) -> Result<Objects, Failure> {
        let keys = Credentials {
            access_key: self.key.access_key_id.clone(),
            secret_key: self.key.secret_access_key.clone(),
            session_token: self.session_token.clone(),
        };
        let http = Objects::http_client(Transport::of(&self.s3_url))?;
        let url = self.s3_url.clone();
        let location = Arc::new(move || Ok(url.clone()));
        Ok(Objects::new(http, location, &self.region, &keys).with_patience(PATIENCE))
    }

    /// Says what to do where the trouble is the way to the server.
    fn explained(&self, error: Failure) -> Failure {
        let cause = if let Some(DataError::Unreachable(cause)) = data_error(&error) {
            format!("{} does not answer: {cause}", self.s3_url)
        } else {
            match error.downcast::<ClientError>() {
                Ok(error) => match *error {
                    ClientError::Unreachable { .. } => error.to_string(),
                    ref refused if is_about_the_key(refused) => {
                        return ConnectionError::WrongKey(*error).into();
                    }
                    _ => return error,
                },
                Err(other) => return other,
            }
        };
        let remedy = self.remedy.clone();
        ConnectionError::Away { cause, remedy }.into()
    }
}

fn data_error(error: &Failure) -> Option<&DataError> {
    match error.downcast_ref::<TransferError>() {
        Some(TransferError::Store(error)) => Some(error),
        Some(_) => None,
        None => error.downcast_ref(),
    }
}

fn is_about_the_key(error: &ClientError) -> bool {
    let codes = [
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "ExpiredTokenException",
    ];
    matches!(error, ClientError::Refused { code, .. } if codes.contains(&code.as_str()))
}

/// The scheme and the `host:port` of an endpoint.
fn parts(url: &str) -> Result<(String, String), ConnectionError> {
    let no_url = || ConnectionError::NoUrl(url.to_owned());
    let parsed: http::Uri = url.parse().map_err(|_| no_url())?;
    let scheme = parsed.scheme_str().ok_or_else(no_url)?;
    let authority = parsed.authority().ok_or_else(no_url)?;
    if !matches!(scheme, "http" | "https") || parsed.path() != "/" {
        return Err(no_url());
    }
    Ok((scheme.to_owned(), authority.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Endpoint>, ConnectionError> {
        Endpoint::in_environment(|name| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn the_environment_names_a_server_as_for_any_client() {
        const KEY: [(&str, &str); 2] = [
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        assert!(read(&KEY).unwrap().is_none());
        let url = ("AWS_ENDPOINT_URL", "http://h:1/");
        let said = read(&[url]).unwrap_err().to_string();
        assert!(said.contains("AWS_ACCESS_KEY_ID"), "{said}");

        let found = read(&[url, KEY[0], KEY[1]]).unwrap().unwrap();
        assert_eq!(
            (&*found.url, &*found.s3_url, &*found.region),
            ("http://h:1", "http://h:1", "us-east-1")
        );
        let more = [
            url,
            KEY[0],
            KEY[1],
            ("AWS_ENDPOINT_URL_S3", "https://s3"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_SESSION_TOKEN", "token"),
        ];
        let found = read(&more).unwrap().unwrap();
        assert_eq!(
            (&*found.s3_url, &*found.region),
            ("https://s3", "eu-west-1")
        );
        assert_eq!(found.session_token.as_deref(), Some("token"));
    }

    #[test]
    fn an_endpoint_is_a_scheme_and_a_host() {
        for (url, expected) in [
            ("http://127.0.0.1:7878", Some(("http", "127.0.0.1:7878"))),
            ("https://kiln.example", Some(("https", "kiln.example"))),
            ("127.0.0.1:7878", None),
            ("ftp://host", None),
            ("http://host/path", None),
            ("", None),
        ] {
            let found = parts(url).ok();
            let expected = expected.map(|(s, a)| (s.to_owned(), a.to_owned()));
            assert_eq!(found, expected, "{url}");
        }
    }
}
