//! The S3 that jobs use instead of the embedded one: where it is, and with
//! which keys Kiln goes there.

use clap::Args;
use kiln_agent::plan::{Keys, StorePlan};
use kiln_model::Region;
use kiln_server::{AccessKey, Introduction, RemoteStore};
use serde::Deserialize;

/// The options of `kiln serve` about another S3.
#[derive(Debug, Clone, Default, Args)]
pub struct S3Options {
    /// The URL of another S3 for all objects, AWS's or a MinIO's. Its keys come from
    /// kiln.toml, or from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[arg(long, value_name = "URL")]
    s3_endpoint: Option<String>,
    /// The region of that S3, unless it is the one that clients see.
    #[arg(long, value_name = "REGION")]
    s3_region: Option<String>,
}

/// `[s3]` in `kiln.toml`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3Table {
    endpoint: Option<String>,
    region: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
}

impl std::fmt::Debug for S3Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Table")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// What configuration comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalS3 {
    /// The store's URL, without a slash at its end.
    pub endpoint: String,
    /// The same for those who move a job's data.
    pub plan: StorePlan,
}

impl ExternalS3 {
    /// Puts options, file and environment together; `None` when none of them
    /// names an endpoint. Keys from the file come before the environment's.
    ///
    /// # Errors
    /// When there is no usable URL, or there are no keys, or Kiln's own.
    pub fn of(
        options: &S3Options,
        table: &S3Table,
        environment: impl Fn(&str) -> Option<String>,
        region: &Region,
        root: &AccessKey,
    ) -> Result<Option<Self>, ExternalS3Error> {
        let Some(endpoint) = options.s3_endpoint.as_ref().or(table.endpoint.as_ref()) else {
            return if options.s3_region.is_none() && is_empty(table) {
                Ok(None)
            } else {
                Err(ExternalS3Error::NoEndpoint)
            };
        };
        let endpoint = checked(endpoint)?;
        let keys = keys(table, environment)?;
        if keys.access_key == root.access_key_id {
            return Err(ExternalS3Error::OwnKey(endpoint));
        }
        let named = options.s3_region.as_ref().or(table.region.as_ref());
        let region = named.map_or_else(|| region.to_string(), String::clone);
        let plan = StorePlan {
            endpoint: Some(endpoint.clone()),
            region,
            keys,
        };
        Ok(Some(Self { endpoint, plan }))
    }

    /// A way to the store, which was asked whether it knows the keys. One that
    /// does not answer yet may do so later.
    ///
    /// # Errors
    /// When it does not know them.
    pub async fn open(&self) -> Result<RemoteStore, ExternalS3Error> {
        let refused = |reason: String| ExternalS3Error::Refused(self.endpoint.clone(), reason);
        let store = RemoteStore::new(&self.endpoint, &self.plan)
            .map_err(|error| refused(error.to_string()))?;
        match store.introduce().await {
            Ok(()) => {}
            Err(Introduction::Refused(reason)) => return Err(refused(reason)),
            Err(Introduction::Unanswered(reason)) => {
                eprintln!("kiln: {reason}; requests fail until it does");
            }
        }
        Ok(store)
    }
}

/// Why the other S3 cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExternalS3Error {
    /// There are keys or a region, and no endpoint.
    #[error(
        "another S3 is configured without its URL: give it with --s3-endpoint, or as endpoint in \
         the table [s3] of kiln.toml"
    )]
    NoEndpoint,
    /// What should be a URL is none.
    #[error("the S3 endpoint '{0}' is not a URL such as https://s3.eu-west-1.amazonaws.com")]
    NotUrl(String),
    /// Half of a key is missing, or all of it.
    #[error(
        "the S3 endpoint needs keys: set access_key_id and secret_access_key in the table [s3] of \
         kiln.toml, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the server's environment"
    )]
    NoKeys,
    /// The environment is that of a client of Kiln.
    #[error(
        "AWS_ACCESS_KEY_ID is Kiln's own root key, which {0} does not know: start the server in an \
         environment with the keys of that store, or set them in the table [s3] of kiln.toml"
    )]
    OwnKey(String),
    /// The store turned the keys away.
    #[error("the S3 at {0} refuses the keys that it is to be used with ({1})")]
    Refused(String, String),
}

fn is_empty(table: &S3Table) -> bool {
    let fields = [
        &table.region,
        &table.access_key_id,
        &table.secret_access_key,
        &table.session_token,
    ];
    fields.into_iter().all(Option::is_none)
}

/// The URL without a slash at its end.
fn checked(endpoint: &str) -> Result<String, ExternalS3Error> {
    let uri: Option<http::Uri> = endpoint.parse().ok();
    let is_url = uri.is_some_and(|uri| {
        let scheme = uri.scheme_str().unwrap_or_default();
        matches!(scheme, "http" | "https") && uri.host().is_some() && uri.query().is_none()
    });
    if is_url {
        Ok(endpoint.trim_end_matches('/').to_owned())
    } else {
        Err(ExternalS3Error::NotUrl(endpoint.to_owned()))
    }
}

/// The keys of the file, or else all of the environment's: never some of each.
fn keys(
    table: &S3Table,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Keys, ExternalS3Error> {
    let (id, secret, token) = if table.access_key_id.is_some() || table.secret_access_key.is_some()
    {
        (
            table.access_key_id.clone(),
            table.secret_access_key.clone(),
            table.session_token.clone(),
        )
    } else {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        (
            variable("AWS_ACCESS_KEY_ID"),
            variable("AWS_SECRET_ACCESS_KEY"),
            variable("AWS_SESSION_TOKEN"),
        )
    };
    let (Some(access_key), Some(secret_key)) = (id, secret) else {
        return Err(ExternalS3Error::NoKeys);
    };
    Ok(Keys {
        access_key,
        secret_key,
        session_token: token.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(
        endpoint: Option<&str>,
        table: &str,
        environment: &[(&str, &str)],
    ) -> Result<Option<ExternalS3>, ExternalS3Error> {
        let options = S3Options {
            s3_endpoint: endpoint.map(str::to_owned),
            s3_region: None,
        };
        let root = AccessKey {
            access_key_id: "AKIAROOT".to_owned(),
            secret_access_key: "root".to_owned(),
        };
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let region = "us-east-1".parse().unwrap();
        ExternalS3::of(
            &options,
            &toml::from_str(table).unwrap(),
            variable,
            &region,
            &root,
        )
    }

    const ENVIRONMENT: [(&str, &str); 3] = [
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
    ];

    #[test]
    fn nothing_named_is_the_embedded_store() {
        assert_eq!(decide(None, "", &ENVIRONMENT), Ok(None));
        let half = decide(None, "region = 'r'", &ENVIRONMENT);
        assert_eq!(half, Err(ExternalS3Error::NoEndpoint));
    }

    #[test]
    fn options_come_before_the_file_and_the_file_s_keys_before_the_environment_s() {
        let file = "endpoint = 'http://file'\nregion = 'eu-west-1'\naccess_key_id = 'AKIAFILE'\n\
                    secret_access_key = 's'";
        let found = decide(Some("http://option:9000/"), file, &ENVIRONMENT);
        let found = found.unwrap().unwrap();
        assert_eq!(found.endpoint, "http://option:9000");
        assert_eq!(found.plan.region, "eu-west-1");
        assert_eq!(found.plan.keys.access_key, "AKIAFILE");
        assert_eq!(found.plan.keys.session_token, "");

        let found = decide(None, "endpoint = 'https://file'", &ENVIRONMENT);
        let found = found.unwrap().unwrap();
        assert_eq!(found.plan.region, "us-east-1");
        assert_eq!(found.plan.keys.access_key, "AKIAENV");
        assert_eq!(found.plan.keys.session_token, "token");
    }

    #[test]
    fn what_cannot_work_is_said() {
        let own = [
            ("AWS_ACCESS_KEY_ID", "AKIAROOT"),
            ("AWS_SECRET_ACCESS_KEY", "root"),
        ];
        let none: &[(&str, &str)] = &[];
        let known = &ENVIRONMENT[..];
        let cases = [
            ("http://s", "", none, ExternalS3Error::NoKeys),
            (
                "http://s",
                "access_key_id = 'A'",
                known,
                ExternalS3Error::NoKeys,
            ),
            (
                "http://s",
                "",
                &own[..],
                ExternalS3Error::OwnKey("http://s".to_owned()),
            ),
            (
                "localhost:9000",
                "",
                known,
                ExternalS3Error::NotUrl("localhost:9000".to_owned()),
            ),
            (
                "ftp://s",
                "",
                known,
                ExternalS3Error::NotUrl("ftp://s".to_owned()),
            ),
        ];
        for (endpoint, table, environment, expected) in cases {
            let found = decide(Some(endpoint), table, environment);
            assert_eq!(found, Err(expected), "{endpoint} {table}");
        }
    }
}
