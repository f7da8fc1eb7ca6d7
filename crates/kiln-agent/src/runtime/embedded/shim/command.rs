//! The command that a container runs: its words, its environment, and which
//! file of the image it is.

use std::collections::BTreeMap;
use std::ffi::{CString, NulError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::gpu;
use crate::runtime::Container;
use crate::runtime::embedded::protocol::Refusal;

/// Where commands are looked for when neither the image nor the job says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a container's first process executes.
#[derive(Debug, Clone)]
pub struct Command {
    /// The command line; never empty.
    words: Vec<String>,
    environment: BTreeMap<String, String>,
    /// Where it starts; made when the image lacks it.
    pub working_dir: PathBuf,
}

impl Command {
    /// The command of a container.
    ///
    /// # Errors
    /// When neither the job nor the image says what to run.
    pub fn of(container: &Container) -> Result<Self, Refusal> {
        let config = &container.image.config;
        let words = container.start.command_line(&config.entrypoint);
        if words.is_empty() {
            return Err(Refusal::Image(
                "neither the job nor the image names a command".to_owned(),
            ));
        }
        let working_dir = config
            .working_dir
            .clone()
            .unwrap_or_else(|| PathBuf::from("/"));
        Ok(Self {
            words,
            environment: environment(container),
            working_dir,
        })
    }

    /// Finds the executable. To be called in the container's root and working
    /// directory.
    ///
    /// # Errors
    /// When there is none, with the code that a shell would give.
    pub fn executable(&self) -> Result<PathBuf, Refusal> {
        let path = self.environment.get("PATH").map_or("", String::as_str);
        look_up(&self.words[0], path, &inspect)
    }

    /// The command line as the kernel takes it.
    ///
    /// # Errors
    /// When a word holds a zero byte.
    pub fn arguments(&self) -> Result<Vec<CString>, Refusal> {
        self.words
            .iter()
            .map(|word| text(word.as_bytes()))
            .collect()
    }

    /// The environment as the kernel takes it.
    ///
    /// # Errors
    /// When a variable holds a zero byte.
    pub fn variables(&self) -> Result<Vec<CString>, Refusal> {
        let pairs = self
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        pairs.map(|pair| text(pair.as_bytes())).collect()
    }
}

/// A path as the kernel takes it.
///
/// # Errors
/// When it holds a zero byte.
pub fn path_text(path: &Path) -> Result<CString, Refusal> {
    text(path.as_os_str().as_bytes())
}

fn text(bytes: &[u8]) -> Result<CString, Refusal> {
    CString::new(bytes).map_err(|error: NulError| Refusal::Command {
        message: format!("the command or its environment holds a zero byte: {error}"),
        code: 126,
    })
}

/// What Docker sets, then the image's variables, then the job's.
fn environment(container: &Container) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("PATH".to_owned(), DEFAULT_PATH.to_owned()),
        ("HOSTNAME".to_owned(), container.hostname.clone()),
        ("HOME".to_owned(), "/root".to_owned()),
    ]);
    all.extend(container.image.config.env.iter().cloned());
    all.extend(container.env.iter().cloned());
    tell_of_gpus(container, &mut all);
    all
}

/// Says which GPUs there are, whatever the image and the job say, for there are no
/// others, and where their driver is.
fn tell_of_gpus(container: &Container, all: &mut BTreeMap<String, String>) {
    let numbers: Vec<String> = container.gpus.iter().map(u32::to_string).collect();
    let visible = gpu::visible_devices(&numbers);
    all.insert("NVIDIA_VISIBLE_DEVICES".to_owned(), visible);
    if numbers.is_empty() {
        return;
    }
    for (name, directory) in [("PATH", "bin"), ("LD_LIBRARY_PATH", "lib64")] {
        let directory = format!("{}/{directory}", gpu::MOUNT_POINT);
        let value = match all.get(name).filter(|old| !old.is_empty()) {
            Some(old) => format!("{directory}:{old}"),
            None => directory,
        };
        all.insert(name.to_owned(), value);
    }
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Candidate {
    Absent,
    NotExecutable,
    Executable,
}

fn inspect(path: &Path) -> Candidate {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => {
            Candidate::Executable
        }
        Ok(_) => Candidate::NotExecutable,
        Err(_) => Candidate::Absent,
    }
}

/// Finds a command as `execvp` does, and says what a container runtime says when
/// it cannot.
fn look_up(
    name: &str,
    search: &str,
    inspect: &dyn Fn(&Path) -> Candidate,
) -> Result<PathBuf, Refusal> {
    let candidates: Vec<PathBuf> = if name.contains('/') {
        vec![PathBuf::from(name)]
    } else {
        search
            .split(':')
            .map(|directory| directory_or_here(directory).join(name))
            .collect()
    };
    let kinds: Vec<Candidate> = candidates.iter().map(|path| inspect(path)).collect();
    if let Some(found) = kinds.iter().position(|kind| *kind == Candidate::Executable) {
        return Ok(candidates[found].clone());
    }
    let (reason, code) = if kinds.contains(&Candidate::NotExecutable) {
        ("permission denied", 126)
    } else if name.contains('/') {
        ("no such file or directory", 127)
    } else {
        ("executable file not found in $PATH", 127)
    };
    Err(Refusal::Command {
        message: format!("exec: {name:?}: {reason}"),
        code,
    })
}

fn directory_or_here(directory: &str) -> &Path {
    Path::new(if directory.is_empty() { "." } else { directory })
}

/// What to say of an executable that the kernel would not execute.
pub fn refused_by_kernel(executable: &Path, errno: Errno) -> Refusal {
    let (reason, code) = match errno {
        // The file is there, so that it must be its interpreter that is not.
        Errno::ENOENT => ("no such file or directory".to_owned(), 127),
        Errno::ENOEXEC => ("exec format error".to_owned(), 126),
        Errno::EACCES | Errno::EPERM => ("permission denied".to_owned(), 126),
        Errno::E2BIG => ("argument list too long".to_owned(), 126),
        other => (other.desc().to_lowercase(), 126),
    };
    Refusal::Command {
        message: format!("exec {}: {reason}", executable.display()),
        code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(path: &Path) -> Candidate {
        match path.to_str() {
            Some("/bin/train" | "./here" | "/second/both") => Candidate::Executable,
            Some("/bin/data" | "/first/both" | "/opt") => Candidate::NotExecutable,
            _ => Candidate::Absent,
        }
    }

    #[test]
    fn commands_are_found_as_a_shell_finds_them() {
        let cases = [
            ("train", "/usr/bin:/bin", Ok("/bin/train")),
            ("/bin/train", "", Ok("/bin/train")),
            ("here", "", Ok("./here")),
            ("both", "/first:/second", Ok("/second/both")),
            (
                "train",
                "/usr/bin",
                Err(("exec: \"train\": executable file not found in $PATH", 127)),
            ),
            (
                "/no/train",
                "/bin",
                Err(("exec: \"/no/train\": no such file or directory", 127)),
            ),
            (
                "data",
                "/usr/bin:/bin",
                Err(("exec: \"data\": permission denied", 126)),
            ),
            (
                "/opt",
                "/bin",
                Err(("exec: \"/opt\": permission denied", 126)),
            ),
        ];
        for (name, search, expected) in cases {
            let expected =
                expected
                    .map(PathBuf::from)
                    .map_err(|(message, code)| Refusal::Command {
                        message: message.to_owned(),
                        code,
                    });
            assert_eq!(look_up(name, search, &image), expected, "{name}");
        }
    }

    #[test]
    fn a_refused_executable_is_explained() {
        let cases = [
            (Errno::ENOENT, "exec /x: no such file or directory", 127),
            (Errno::ENOEXEC, "exec /x: exec format error", 126),
            (Errno::EACCES, "exec /x: permission denied", 126),
        ];
        for (errno, message, code) in cases {
            let expected = Refusal::Command {
                message: message.to_owned(),
                code,
            };
            assert_eq!(refused_by_kernel(Path::new("/x"), errno), expected);
        }
    }
}
