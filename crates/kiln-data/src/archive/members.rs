//! The members of an archive, in the form that the cloud's own writer gives them.
//!
//! ustar, names without `./` and without an entry for the root, directories
//! with a trailing slash and mode 0755, files 0644, owner 0 and no names, true
//! modification times. What ustar cannot say is said as GNU's tar does: long
//! names in a member of their own, sizes from 8 GiB in binary.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::stat::FileStat;
use tar::{EntryType, Header};

use super::gzip::Gzip;
use crate::tree::{Entry, Kind, Unreadable, Walk, too_large};

/// What a tar is cut into.
const RECORD: u64 = 512;
/// Where a name is cut short that has a member of its own.
const SHORT: usize = 100;

/// Writes the members of several directories as one tree's, and the end of
/// the archive. A file that says to be larger than `largest` is an error.
pub(super) fn write<W: Write>(roots: &[&Path], largest: u64, to: &mut Gzip<W>) -> io::Result<()> {
    for entry in Walk::new(roots)? {
        let entry = entry.map_err(named)?;
        let written = match entry.kind {
            Kind::Directory => write_directory(&entry, to),
            Kind::Link => write_link(&entry, to),
            Kind::File => write_file(&entry, largest, to),
        };
        written.map_err(|error| match error.kind() {
            // The reader of the archive has gone: no fault of this member.
            io::ErrorKind::BrokenPipe => error,
            _ => named(Unreadable {
                path: entry.path,
                error,
            }),
        })?;
    }
    to.write_all(&[0; 2 * RECORD as usize])
}

fn named(unreadable: Unreadable) -> io::Error {
    let Unreadable { path, error } = unreadable;
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn write_directory(entry: &Entry, to: &mut impl Write) -> io::Result<()> {
    let mut header = header(&entry.stat, EntryType::Directory);
    header.set_mode(0o755);
    let mut name = entry.path.as_os_str().as_bytes().to_vec();
    name.push(b'/');
    write_header(header, &name, to)
}

fn write_link(entry: &Entry, to: &mut impl Write) -> io::Result<()> {
    let Some(target) = entry.target()? else {
        return Ok(());
    };
    let mut header = header(&entry.stat, EntryType::Symlink);
    let target = target.as_os_str().as_bytes();
    if header.set_link_name_literal(target).is_err() {
        write_long(EntryType::GNULongLink, target, to)?;
        header.set_link_name_literal(&target[..SHORT])?;
    }
    write_header(header, entry.path.as_os_str().as_bytes(), to)
}

fn write_file<W: Write>(entry: &Entry, largest: u64, to: &mut Gzip<W>) -> io::Result<()> {
    let Some((mut file, stat)) = entry.open()? else {
        return Ok(());
    };
    let size = stat.st_size.unsigned_abs();
    if size > largest {
        return Err(too_large(size));
    }
    let mut header = header(&stat, EntryType::Regular);
    header.set_size(size);
    write_header(header, entry.path.as_os_str().as_bytes(), to)?;
    // Exactly the promised number of bytes, whatever happens to the file.
    let mut left = size;
    while left > 0 {
        match to.fill(&mut file, left) {
            Ok(0) => break,
            Ok(read) => left -= read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let padding = left + size.next_multiple_of(RECORD) - size;
    io::copy(&mut io::repeat(0).take(padding), to).map(drop)
}

fn header(stat: &FileStat, kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    // A time before 1970 has no form in ustar.
    header.set_mtime(stat.st_mtime.max(0).unsigned_abs());
    header
}

fn write_header(mut header: Header, name: &[u8], to: &mut impl Write) -> io::Result<()> {
    if !set_name(&mut header, name) {
        write_long(EntryType::GNULongName, name, to)?;
        let short = name.len().min(SHORT);
        header.as_old_mut().name[..short].copy_from_slice(&name[..short]);
    }
    header.set_cksum();
    to.write_all(header.as_bytes())
}

/// Puts a name into the header, a long one in two pieces; whether it fits.
fn set_name(header: &mut Header, name: &[u8]) -> bool {
    let Some(ustar) = header.as_ustar_mut() else {
        return false;
    };
    if name.len() <= ustar.name.len() {
        ustar.name[..name.len()].copy_from_slice(name);
        return true;
    }
    // A slash parts them, and neither piece may be empty.
    let earliest = name.len().saturating_sub(ustar.name.len() + 1).max(1);
    let latest = ustar.prefix.len().min(name.len() - 2);
    let Some(slash) = (earliest..=latest).find(|at| name[*at] == b'/') else {
        return false;
    };
    ustar.prefix[..slash].copy_from_slice(&name[..slash]);
    let rest = &name[slash + 1..];
    ustar.name[..rest.len()].copy_from_slice(rest);
    true
}

/// Writes a member whose body is the name of the next.
fn write_long(kind: EntryType, name: &[u8], to: &mut impl Write) -> io::Result<()> {
    let mut header = Header::new_gnu();
    let length = name.len() as u64 + 1;
    header.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(length);
    header.set_cksum();
    to.write_all(header.as_bytes())?;
    to.write_all(name)?;
    let padding = length.next_multiple_of(RECORD) - name.len() as u64;
    io::copy(&mut io::repeat(0).take(padding), to).map(drop)
}
