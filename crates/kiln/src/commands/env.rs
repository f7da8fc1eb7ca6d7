//! `kiln env`

use std::path::Path;

use kiln_server::AccessKey;

use super::Failure;
use crate::data_dir;

/// Where a server listens when nothing else is said.
const USUAL_ADDRESS: &str = "127.0.0.1:7878";

const USUAL_REGION: &str = "us-east-1";

/// Prints shell exports: the endpoint of the server that runs on the data
/// directory, and its root key.
pub fn run(directory: &Path) -> Result<(), Failure> {
    let directory = data_dir::create(directory)?;
    let key = AccessKey::root(&directory)?;
    let address = data_dir::read_address(&directory);
    if address.is_none() {
        eprintln!(
            "kiln: no server runs on {}; start one with: kiln serve --data-dir {0}",
            directory.display()
        );
    }
    let address = address.map_or_else(|| USUAL_ADDRESS.to_owned(), |address| address.to_string());
    println!("export AWS_ENDPOINT_URL=http://{address}");
    println!("export AWS_ACCESS_KEY_ID={}", key.access_key_id);
    println!("export AWS_SECRET_ACCESS_KEY={}", key.secret_access_key);
    let region = data_dir::read_region(&directory);
    let region = region.map_or_else(|| USUAL_REGION.to_owned(), |region| region.to_string());
    for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        println!("export {variable}={region}");
    }
    println!("unset AWS_SESSION_TOKEN AWS_PROFILE");
    Ok(())
}
