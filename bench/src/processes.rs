//! Ending what a server leaves behind: agents outlive it by design, and a
//! benchmark must not leave any.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long processes get to end by themselves.
const GRACE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);

/// Ends every process whose command line mentions the directory, which must be
/// one that nobody else could mention.
pub fn end_all_that_mention(directory: &Path) {
    let deadline = Instant::now() + GRACE;
    let mut signal = Signal::SIGTERM;
    loop {
        let processes = mentioning(directory);
        if processes.is_empty() {
            return;
        }
        if Instant::now() > deadline {
            signal = Signal::SIGKILL;
        }
        for process in processes {
            // It may have ended in between, which is as good.
            let _ = kill(process, signal);
        }
        std::thread::sleep(PAUSE);
    }
}

fn mentioning(directory: &Path) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|&id: &i32| mentions(id, directory))
        .map(Pid::from_raw)
        .collect()
}

/// A process that has ended, and only waits for its parent, has no command line.
fn mentions(id: i32, directory: &Path) -> bool {
    let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).contains(&*directory.to_string_lossy())
}
