//! The part of the GPU driver that is loaded into programs: its libraries belong
//! to the kernel's module and not to an image, so that containers get the host's.

use std::fs;
use std::path::{Path, PathBuf};

use super::loader_cache::{self, Library};
use crate::runtime::Mount;

/// Where programs find the driver, as in NVIDIA's own images.
pub const MOUNT_POINT: &str = "/usr/local/nvidia";
/// Where some machines have the libraries without the loader's knowledge.
const UNCACHED: &str = "/usr/local/nvidia/lib64";
/// What the names of the driver's libraries begin with.
const LIBRARIES: [&str; 4] = [
    "libcuda.so.",
    "libcudadebugger.so.",
    "libnvcuvid.so.",
    "libnvidia-",
];
/// Where the driver's program may be that shows the GPUs.
const PROGRAMS: [&str; 3] = [
    "usr/bin/nvidia-smi",
    "usr/local/bin/nvidia-smi",
    "usr/local/nvidia/bin/nvidia-smi",
];

/// The files of the driver on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Driver {
    libraries: Vec<Library>,
    program: Option<PathBuf>,
}

impl Driver {
    /// Looks for the driver's files. What is not there is left out.
    #[must_use]
    pub fn installed(root: &Path) -> Self {
        let cache = fs::read(root.join("etc/ld.so.cache")).unwrap_or_default();
        let cached = loader_cache::libraries(&cache).into_iter();
        let mut libraries: Vec<Library> = Vec::new();
        for library in cached.chain(uncached(root)) {
            // The loader takes the first of a name.
            let is_first = libraries.iter().all(|other| other.name != library.name);
            if is_first && is_of_driver(&library.name) && below(root, &library.path).exists() {
                libraries.push(library);
            }
        }
        let mut programs = PROGRAMS.iter();
        let program = programs.find(|program| root.join(program).exists());
        Self {
            libraries,
            program: program.map(|program| Path::new("/").join(program)),
        }
    }

    /// The files, to be shown at their own paths.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let libraries = self.libraries.iter().map(|library| library.path.clone());
        libraries.chain(self.program.clone()).collect()
    }

    /// The files, to be shown to an image that knows nothing of this machine.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        let place = |source: &Path, directory: &str, name: &str| Mount {
            source: source.to_owned(),
            target: Path::new(MOUNT_POINT).join(directory).join(name),
            read_only: true,
        };
        let libraries = self.libraries.iter();
        let libraries = libraries.map(|library| place(&library.path, "lib64", &library.name));
        let program = self.program.as_deref();
        let program = program.map(|program| place(program, "bin", "nvidia-smi"));
        libraries.chain(program).collect()
    }
}

/// The libraries in the driver's own directory.
fn uncached(root: &Path) -> Vec<Library> {
    let entries = fs::read_dir(below(root, Path::new(UNCACHED)));
    let names = entries.into_iter().flatten();
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let library = |name: String| Library {
        path: Path::new(UNCACHED).join(&name),
        name,
    };
    names.map(library).collect()
}

fn is_of_driver(name: &str) -> bool {
    LIBRARIES.iter().any(|start| name.starts_with(start)) && name.contains(".so.")
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::super::loader_cache::{OWN_FLAGS, cache_of};
    use super::*;

    fn machine(files: &[&str], cached: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let cached = cached.iter().map(|(name, path)| (*name, *path, OWN_FLAGS));
        let cache = cache_of(&cached.collect::<Vec<_>>());
        for (path, text) in files.iter().map(|path| (*path, Vec::new())) {
            write(&below(root.path(), Path::new(path)), text);
        }
        write(&root.path().join("etc/ld.so.cache"), cache);
        root
    }

    fn write(path: &Path, text: Vec<u8>) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn only_the_drivers_own_libraries_are_taken_and_each_once() {
        let root = machine(
            &[
                "/usr/lib/libcuda.so.1",
                "/usr/lib/libnvidia-ml.so.1",
                "/opt/other/libcuda.so.1",
                "/usr/lib/libcudart.so.12",
                "/usr/lib/libnvidia-ml.so",
                "/usr/bin/nvidia-smi",
            ],
            &[
                ("libcuda.so.1", "/usr/lib/libcuda.so.1"),
                ("libcuda.so.1", "/opt/other/libcuda.so.1"),
                ("libcudart.so.12", "/usr/lib/libcudart.so.12"),
                ("libnvidia-ml.so", "/usr/lib/libnvidia-ml.so"),
                ("libnvidia-ml.so.1", "/usr/lib/libnvidia-ml.so.1"),
                ("libnvidia-gone.so.1", "/usr/lib/libnvidia-gone.so.1"),
            ],
        );
        let driver = Driver::installed(root.path());
        let files = [
            "/usr/lib/libcuda.so.1",
            "/usr/lib/libnvidia-ml.so.1",
            "/usr/bin/nvidia-smi",
        ];
        assert_eq!(driver.files(), files.map(PathBuf::from));
        let mount = |source: &str, target: &str| Mount {
            source: source.into(),
            target: target.into(),
            read_only: true,
        };
        let mounts = [
            mount(files[0], "/usr/local/nvidia/lib64/libcuda.so.1"),
            mount(files[1], "/usr/local/nvidia/lib64/libnvidia-ml.so.1"),
            mount(files[2], "/usr/local/nvidia/bin/nvidia-smi"),
        ];
        assert_eq!(driver.mounts(), mounts);
    }

    #[test]
    fn a_driver_that_the_loader_does_not_know_is_found_in_its_own_directory() {
        let own = "/usr/local/nvidia/lib64/libcuda.so.1";
        let cached = ("libcuda.so.1", "/usr/lib/libcuda.so.1");
        let cases: [(&[&str], &str); 2] = [(&[own], own), (&[own, cached.1], cached.1)];
        for (files, expected) in cases {
            let root = machine(files, &[cached]);
            let driver = Driver::installed(root.path());
            assert_eq!(driver.files(), [Path::new(expected)], "{files:?}");
        }
    }

    #[test]
    fn a_machine_without_a_driver_has_nothing_to_show() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Driver::installed(root.path()), Driver::default());
        assert!(Driver::default().mounts().is_empty());
    }
}
