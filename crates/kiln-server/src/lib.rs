//! The front door: one port, every service.
//!
//! A request says in its signature which service it is for. The front door
//! checks who signs it, hands it to that service's module, and writes the answer
//! or the error in the service's own protocol.

mod authorization;
mod body;
mod door;
mod internal;
mod keyring;
mod objects;
mod operator;
mod peer;
mod random;
mod remote;
mod reply;
mod s3;
mod services;
pub mod sigv4;
mod webhook;

pub use door::FrontDoor;
pub use keyring::{AccessKey, Keyring, Principal, RoleSession, session_keys};
pub use objects::ObjectService;
pub use operator::interrupt_path;
pub use peer::Peer;
pub use remote::{Introduction, RemoteBuckets, RemoteStore};
pub use services::logs::keep_logs;
pub use webhook::{Messenger, Webhook, WebhookError};

/// Why the server could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The file with the root key cannot be used.
    #[error("the root key in {path} cannot be used: {source}")]
    RootKey {
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
