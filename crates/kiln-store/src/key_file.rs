//! Files with secrets: made once, by one process, and read by their owner only.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

/// Reads the file, making it on first use. Of several processes that make it at
/// once, one does, and all of them read what that one wrote. A file that others
/// may read is closed to them.
///
/// # Errors
/// When the file cannot be read, made, or closed to others.
pub fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> io::Result<Vec<u8>>,
) -> io::Result<Vec<u8>> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        settled => return settled,
    }
    match write_new(path, &make()?) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read(path),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    close_to_others(&file, path)?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// A copy from a backup, or from a careless hand, is readable by others.
fn close_to_others(file: &File, path: &Path) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(0o600))
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "others may read it (mode {mode:03o}), and that cannot be changed: {error}"
                ),
            )
        })?;
    tracing::warn!(path = %path.display(), "a key file was readable by others until now");
    Ok(())
}

/// Writes a file that is there wholly or not at all. Fails when there is one.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // Temporary files are for their owner only.
    let mut aside = NamedTempFile::new_in(directory)?;
    aside.write_all(content)?;
    aside.as_file().sync_all()?;
    aside.persist_noclobber(path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn all_who_make_a_key_at_once_read_the_same() {
        const MAKERS: usize = 8;
        for _ in 0..20 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a.key");
            let all = Barrier::new(MAKERS);
            let one = || {
                read_or_make(&path, || {
                    // Everyone has seen that there is none.
                    all.wait();
                    Ok(format!("{:?}", std::thread::current().id()).into_bytes())
                })
            };
            let keys: Vec<Vec<u8>> = std::thread::scope(|scope| {
                let makers: Vec<_> = (0..MAKERS).map(|_| scope.spawn(one)).collect();
                let made = makers
                    .into_iter()
                    .map(|maker| maker.join().unwrap().unwrap());
                made.collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
            assert_eq!(std::fs::read(&path).unwrap(), keys[0]);
            assert_eq!(mode(&path), 0o600);
            assert_eq!(directory.path().read_dir().unwrap().count(), 1);
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_closed_to_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        std::fs::write(&path, "secret").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let read = read_or_make(&path, || unreachable!()).unwrap();
        assert_eq!((read.as_slice(), mode(&path)), (&b"secret"[..], 0o600));
    }
}
