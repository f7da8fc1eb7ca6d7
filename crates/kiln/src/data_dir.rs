//! The data directory: where it is, what it is called inside, and whose it is now.

use std::fs::{File, Permissions, TryLockError};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use kiln_model::Region;
use nix::unistd::geteuid;

/// Where agents and commands read the running server's address.
const ADDRESS_FILE: &str = "address";
const REGION_FILE: &str = "region";
const LOCK_FILE: &str = "server.lock";
/// Files that only a data directory has.
const MARKS: [&str; 3] = ["kiln.toml", "root-key.json", LOCK_FILE];
const OWNER_ONLY: u32 = 0o700;
const STICKY: u32 = 0o1000;

/// `$XDG_DATA_HOME/kiln`, or `~/.local/share/kiln`.
pub fn default() -> PathBuf {
    home_directory("XDG_DATA_HOME", ".local/share").join("kiln")
}

/// Where framework environments are kept: `$KILN_CACHE_DIR`, else
/// `$XDG_CACHE_HOME/kiln`, else `~/.cache/kiln`. Deleting it costs time only.
/// The path is absolute, as programs find it whose working directory is another.
pub fn cache() -> std::io::Result<PathBuf> {
    let named = std::env::var_os("KILN_CACHE_DIR").filter(|value| !value.is_empty());
    match named {
        Some(named) => std::path::absolute(named),
        None => Ok(home_directory("XDG_CACHE_HOME", ".cache").join("kiln")),
    }
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

/// Makes the directory, for this user only, and answers its real path. One that
/// is there and open to others is closed to them.
pub fn create(directory: &Path) -> Result<PathBuf, String> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(OWNER_ONLY)
        .create(directory)
        .and_then(|()| directory.canonicalize());
    let path = made.map_err(|error| {
        format!(
            "the data directory {} cannot be made: {error}",
            directory.display()
        )
    })?;
    close_to_others(&path)?;
    Ok(path)
}

fn close_to_others(directory: &Path) -> Result<(), String> {
    let shown = directory.display();
    let failed =
        |error: std::io::Error| format!("the data directory {shown} cannot be used: {error}");
    let found = directory.metadata().map_err(failed)?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let loose = format!("the data directory {shown} is open to other users (mode {mode:03o})");
    if found.uid() != geteuid().as_raw() {
        return Err(format!("{loose} and belongs to one of them"));
    }
    // Someone may have named a directory that others need, such as /tmp.
    if !is_kilns(directory).map_err(failed)? {
        return Err(format!(
            "{loose} and holds other things than Kiln's: choose one of its own with --data-dir, or \
             close this one with: chmod 700 {shown}"
        ));
    }
    let closed = std::fs::set_permissions(directory, Permissions::from_mode(OWNER_ONLY));
    closed.map_err(|error| format!("{loose}, and that cannot be changed: {error}"))?;
    eprintln!("kiln: {loose}; it is closed to them now");
    Ok(())
}

/// Whether the directory is Kiln's: it has Kiln's files in it, or nothing at all.
fn is_kilns(directory: &Path) -> std::io::Result<bool> {
    if directory.metadata()?.permissions().mode() & STICKY != 0 {
        return Ok(false);
    }
    if MARKS.iter().any(|mark| directory.join(mark).exists()) {
        return Ok(true);
    }
    let names = directory.read_dir()?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<_> = names.collect::<std::io::Result<_>>()?;
    // An empty disk that was mounted here has this one.
    Ok(names.iter().all(|name| name == "lost+found"))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a directory of this mode with this file in it: its mode
    /// afterwards, or why it is refused.
    fn outcome(mode: u32, file: Option<&str>) -> Result<u32, String> {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("data");
        std::fs::create_dir(&directory).unwrap();
        if let Some(file) = file {
            std::fs::write(directory.join(file), "").unwrap();
        }
        std::fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        let path = create(&directory)?;
        Ok(path.metadata().unwrap().permissions().mode() & 0o7777)
    }

    #[test]
    fn a_data_directory_is_for_its_owner_only() {
        let cases = [
            (0o700, Some("anything"), Ok(0o700)),
            (0o755, None, Ok(0o700)),
            (0o755, Some("server.lock"), Ok(0o700)),
            (0o770, Some("root-key.json"), Ok(0o700)),
            (0o755, Some("lost+found"), Ok(0o700)),
            (0o755, Some("notes.txt"), Err("holds other things")),
            (0o1777, None, Err("holds other things")),
        ];
        for (mode, file, expected) in cases {
            match (outcome(mode, file), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{mode:o} {file:?}"),
                (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
                (found, _) => panic!("{mode:o} {file:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_new_data_directory_is_made_with_all_above_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = create(&parent.path().join("a/b")).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
