//! The data directory: where it is, what it is called inside, and whose it is now.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use kiln_model::Region;

/// Where agents and commands read the running server's address.
const ADDRESS_FILE: &str = "address";
const REGION_FILE: &str = "region";
const LOCK_FILE: &str = "server.lock";

/// `$XDG_DATA_HOME/kiln`, or `~/.local/share/kiln`.
pub fn default() -> PathBuf {
    home_directory("XDG_DATA_HOME", ".local/share").join("kiln")
}

/// Where framework environments are kept: `$KILN_CACHE_DIR`, else
/// `$XDG_CACHE_HOME/kiln`, else `~/.cache/kiln`. Deleting it costs time only.
pub fn cache() -> PathBuf {
    std::env::var_os("KILN_CACHE_DIR").map_or_else(
        || home_directory("XDG_CACHE_HOME", ".cache").join("kiln"),
        PathBuf::from,
    )
}

fn home_directory(variable: &str, below_home: &str) -> PathBuf {
    let named = std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    named.filter(|path| path.is_absolute()).unwrap_or_else(|| {
        std::env::home_dir()
            .unwrap_or_else(|| PathBuf::from("/"))
            .join(below_home)
    })
}

/// Makes the directory, for this user only, and answers its real path.
pub fn create(directory: &Path) -> Result<PathBuf, String> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .and_then(|()| directory.canonicalize())
        .map_err(|error| {
            format!(
                "the data directory {} cannot be made: {error}",
                directory.display()
            )
        })
}

/// Takes the directory for this process; two servers on one would spoil it.
pub fn claim(directory: &Path) -> Result<File, String> {
    let path = directory.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.map_err(|error| format!("{} cannot be opened: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another server uses the data directory {}: stop it, or choose another with --data-dir",
            directory.display()
        )),
        Err(TryLockError::Error(error)) => {
            Err(format!("{} cannot be locked: {error}", path.display()))
        }
    }
}

/// The file with the running server's address.
pub fn address_file(directory: &Path) -> PathBuf {
    directory.join(ADDRESS_FILE)
}

/// Writes the running server's address and region, each whole or not at all.
pub fn announce(directory: &Path, address: SocketAddr, region: &Region) -> std::io::Result<()> {
    write_whole(&directory.join(REGION_FILE), region.as_str())?;
    write_whole(&address_file(directory), &address.to_string())
}

/// Takes the address back when the server stops, so that nobody, agents least of
/// all, takes whoever listens there next for it.
pub fn withdraw(directory: &Path) {
    // A file that stays is one that the next server overwrites.
    let _ = std::fs::remove_file(address_file(directory));
}

fn write_whole(path: &Path, line: &str) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    std::fs::write(&aside, format!("{line}\n"))?;
    std::fs::rename(&aside, path)
}

/// Reads the region that the last server served.
pub fn read_region(directory: &Path) -> Option<Region> {
    std::fs::read_to_string(directory.join(REGION_FILE))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Reads the address that the last server wrote.
pub fn read_address(directory: &Path) -> Option<SocketAddr> {
    std::fs::read_to_string(address_file(directory))
        .ok()?
        .trim()
        .parse()
        .ok()
}
