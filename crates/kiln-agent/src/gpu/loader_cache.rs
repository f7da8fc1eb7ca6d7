//! The cache of the dynamic loader, `ld.so.cache`: which shared libraries the
//! machine has, and where.

use std::path::PathBuf;

/// What a cache of the present format begins with. One of the old format may
/// stand before it.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// The bytes before the first entry, and those of each entry.
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// The bits of an entry's flags that say for which kind of program it is.
const KIND: u32 = 0xffff;
/// The kind of this program: a library of glibc for this processor.
const OWN_KIND: u32 = if cfg!(target_arch = "aarch64") {
    0x0a03
} else {
    0x0303
};

/// A shared library that the loader knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The name by which programs ask for it.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The libraries in a cache that programs of this machine's own kind can load.
/// What is damaged ends the list.
pub fn libraries(cache: &[u8]) -> Vec<Library> {
    let Some(start) = cache.windows(MAGIC.len()).position(|here| here == MAGIC) else {
        return Vec::new();
    };
    let cache = &cache[start..];
    let count = number(cache, MAGIC.len()).unwrap_or(0) as usize;
    let entries = (0..count).map_while(|index| entry(cache, index));
    entries.flatten().collect()
}

/// The entry at an index: `None` when the cache ends before it, and nothing in
/// it when it is for other programs or damaged.
fn entry(cache: &[u8], index: usize) -> Option<Option<Library>> {
    let at = index.checked_mul(ENTRY)?.checked_add(HEADER)?;
    let [flags, name, path] = [
        number(cache, at)?,
        number(cache, at + 4)?,
        number(cache, at + 8)?,
    ];
    let library = || {
        Some(Library {
            name: text(cache, name as usize)?,
            path: PathBuf::from(text(cache, path as usize)?),
        })
    };
    Some((flags & KIND == OWN_KIND).then(library).flatten())
}

/// A number in this machine's order of bytes, which is the cache's.
fn number(cache: &[u8], at: usize) -> Option<u32> {
    let bytes = cache.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn text(cache: &[u8], at: usize) -> Option<String> {
    let bytes = cache.get(at..)?;
    let end = bytes.iter().position(|byte| *byte == 0)?;
    String::from_utf8(bytes[..end].to_vec()).ok()
}

/// A cache that holds these libraries, with their flags.
#[cfg(test)]
pub fn cache_of(libraries: &[(&str, &str, u32)]) -> Vec<u8> {
    let (mut entries, mut strings) = (Vec::new(), Vec::new());
    let start = HEADER + ENTRY * libraries.len();
    for (name, path, flags) in libraries {
        entries.extend(flags.to_ne_bytes());
        for text in [name, path] {
            let offset = (start + strings.len()) as u32;
            entries.extend(offset.to_ne_bytes());
            strings.extend(text.bytes().chain([0]));
        }
        entries.extend([0; 12]);
    }
    let mut cache = MAGIC.to_vec();
    cache.extend((libraries.len() as u32).to_ne_bytes());
    cache.extend((strings.len() as u32).to_ne_bytes());
    cache.resize(HEADER, 0);
    [cache, entries, strings].concat()
}

/// The flags of a library for this machine's own programs.
#[cfg(test)]
pub const OWN_FLAGS: u32 = OWN_KIND;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIBRARIES: [(&str, &str, u32); 3] = [
        ("libcuda.so.1", "/usr/lib/libcuda.so.1", OWN_KIND),
        ("libcuda.so.1", "/usr/lib32/libcuda.so.1", 0x0003),
        ("libz.so.1", "/usr/lib/libz.so.1", OWN_KIND),
    ];

    #[test]
    fn libraries_of_other_programs_are_left_out() {
        let expected = [
            ("libcuda.so.1", "/usr/lib/libcuda.so.1"),
            ("libz.so.1", "/usr/lib/libz.so.1"),
        ];
        let expected = expected.map(|(name, path)| Library {
            name: name.to_owned(),
            path: path.into(),
        });
        let plain = cache_of(&LIBRARIES);
        let after_an_old_one = [b"ld.so-1.7.0\0\0\0\0\0".to_vec(), plain.clone()].concat();
        for cache in [plain, after_an_old_one] {
            assert_eq!(libraries(&cache), expected);
        }
    }

    #[test]
    fn the_cache_of_this_machine_can_be_read() {
        // A machine without glibc has none.
        if let Ok(cache) = std::fs::read("/etc/ld.so.cache") {
            let found = libraries(&cache);
            let loader = found.iter().find(|library| library.name == "libc.so.6");
            assert!(loader.is_some_and(|library| library.path.exists()));
        }
    }

    proptest! {
        #[test]
        fn a_damaged_cache_has_fewer_libraries(
            cut in 0usize..500,
            damaged in proptest::collection::vec((0usize..200, any::<u8>()), 0..8),
        ) {
            let mut cache = cache_of(&LIBRARIES);
            for (at, byte) in damaged {
                if let Some(old) = cache.get_mut(at) {
                    *old = byte;
                }
            }
            cache.truncate(cut);
            let _ = libraries(&cache);
        }
    }
}
