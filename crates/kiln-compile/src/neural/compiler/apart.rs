//! The compiler in a process of its own: what some networks hold makes it crash, some of
//! its flags cannot be taken back, and nothing else can end it.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Compiler, CompilerError, Diagnostic, Mlir};

/// What a compilation has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// What the compiler remarked.
    pub said: Vec<Diagnostic>,
    /// The compiler's release.
    pub revision: String,
}

/// What the process tells before it ends.
#[derive(Serialize, Deserialize)]
enum Account {
    Compiled(Compiled),
    Failed(Vec<Diagnostic>),
    Broken(String),
}

/// Loads the compiler with these flags for the whole process, and compiles a model to a VM
/// module in a file. It is ended when it takes longer than the limit.
///
/// # Errors
/// When it does not compile the model in time, or crashes, or cannot be had.
pub fn compile_apart(
    (library, global): (&Path, &[String]),
    flags: &[String],
    source: Mlir<'_>,
    target: &Path,
    limit: Option<Duration>,
) -> Result<Compiled, CompilerError> {
    let account = apart(limit, || {
        let compiled = Compiler::open(library, global).and_then(|compiler| {
            let said = compiler.compile(flags, source, target)?;
            let revision = compiler.revision();
            Ok(Compiled { said, revision })
        });
        match compiled {
            Ok(compiled) => Account::Compiled(compiled),
            Err(CompilerError::Failed(diagnostics)) => Account::Failed(diagnostics),
            Err(error) => Account::Broken(error.to_string()),
        }
    })?;
    match account {
        Account::Compiled(compiled) => Ok(compiled),
        Account::Failed(diagnostics) => Err(CompilerError::Failed(diagnostics)),
        Account::Broken(reason) => Err(CompilerError::Apart(reason)),
    }
}

/// Does work in a copy of this process, and answers what it tells.
fn apart(
    limit: Option<Duration>,
    work: impl FnOnce() -> Account,
) -> Result<Account, CompilerError> {
    let failed = |error: io::Error| CompilerError::Apart(error.to_string());
    let (reader, writer) = io::pipe().map_err(failed)?;
    // SAFETY: of the threads there are, the copy has this one only. It touches nothing that
    // another may have held but the allocator and the loader, which the C library sees to,
    // and ends without running what others have left to be run.
    let child = unsafe { libc::fork() };
    match child {
        -1 => Err(failed(io::Error::last_os_error())),
        0 => {
            drop(reader);
            tell(writer, work)
        }
        child => {
            drop(writer);
            let told = hear(reader, limit);
            if let Ok(None) = told {
                // Its group, and itself in case that it is not its group's first yet.
                for ended in [-child, child] {
                    // SAFETY: takes numbers only, which are the child's until it is waited for.
                    unsafe { libc::kill(ended, libc::SIGKILL) };
                }
            }
            let status = wait(child).map_err(failed)?;
            match told.map_err(failed)? {
                Some(told) => account(status, &told),
                None => Err(CompilerError::TooLong(limit.unwrap_or_default())),
            }
        }
    }
}

/// The copy's part, which does not end otherwise than with the process.
fn tell(mut writer: io::PipeWriter, work: impl FnOnce() -> Account) -> ! {
    // SAFETY: takes numbers only. Who is left alone has nobody to compile for.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: takes numbers only. The linker that the compiler starts is to end with it.
    unsafe { libc::setpgid(0, 0) };
    let told = catch_unwind(AssertUnwindSafe(|| {
        let account = serde_json::to_vec(&work()).map_err(io::Error::from);
        account.and_then(|account| writer.write_all(&account))
    }));
    let code = i32::from(!matches!(told, Ok(Ok(()))));
    // SAFETY: ends the process and does nothing else.
    unsafe { libc::_exit(code) }
}

/// All that the copy tells; none where the limit comes first.
fn hear(mut reader: io::PipeReader, limit: Option<Duration>) -> io::Result<Option<Vec<u8>>> {
    let end = limit.map(|limit| Instant::now() + limit);
    let mut told = Vec::new();
    let mut piece = [0; 4096];
    while await_words(&reader, end)? {
        match reader.read(&mut piece)? {
            0 => return Ok(Some(told)),
            read => told.extend_from_slice(&piece[..read]),
        }
    }
    Ok(None)
}

/// Whether there is something to read, or an end, before the given one.
fn await_words(reader: &io::PipeReader, end: Option<Instant>) -> io::Result<bool> {
    loop {
        // One millisecond more, since less than one is none.
        let left = end.map(|end| end.saturating_duration_since(Instant::now()).as_millis() + 1);
        let left = left.map_or(-1, |left| {
            libc::c_int::try_from(left).unwrap_or(libc::c_int::MAX)
        });
        let mut awaited = libc::pollfd {
            fd: reader.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one description of an open file, which lives during the call.
        match unsafe { libc::poll(&raw mut awaited, 1, left) } {
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            ready => return Ok(ready > 0),
        }
    }
}

fn wait(child: libc::pid_t) -> io::Result<ExitStatus> {
    let mut status = 0;
    loop {
        // SAFETY: the number is this function's own, and the child this process's.
        if unsafe { libc::waitpid(child, &raw mut status, 0) } == child {
            return Ok(ExitStatus::from_raw(status));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn account(status: ExitStatus, told: &[u8]) -> Result<Account, CompilerError> {
    match status.signal() {
        Some(libc::SIGKILL) => Err(CompilerError::Killed),
        Some(signal) => Err(CompilerError::Crashed(format!("signal {signal}"))),
        None => serde_json::from_slice(told)
            .map_err(|_| CompilerError::Crashed(format!("{status}, without a word"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(work: impl FnOnce() -> Account) -> String {
        match apart(Some(Duration::from_secs(60)), work) {
            Ok(Account::Broken(text)) => text,
            Ok(_) => "something else".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn die(signal: i32) -> Account {
        // SAFETY: takes a number only.
        unsafe { libc::raise(signal) };
        Account::Broken("alive".to_owned())
    }

    #[test]
    fn what_happens_apart_is_told() {
        assert_eq!(
            outcome(|| Account::Broken("no library".to_owned())),
            "no library"
        );
        assert_eq!(
            outcome(|| die(libc::SIGABRT)),
            "The compiler crashed (signal 6)."
        );
        assert_eq!(outcome(|| die(libc::SIGKILL)), "The compiler was killed.");
        assert_eq!(
            outcome(|| std::process::exit(3)),
            "The compiler crashed (exit status: 3, without a word)."
        );
    }

    #[test]
    fn what_takes_too_long_is_ended_with_what_it_has_started() {
        let place = tempfile::tempdir().unwrap();
        let started = place.path().join("started");
        let begun = Instant::now();
        let error = apart(Some(Duration::from_millis(300)), || {
            let mut child = std::process::Command::new("sleep")
                .arg("100")
                .spawn()
                .unwrap();
            std::fs::write(&started, child.id().to_string()).unwrap();
            child.wait().unwrap();
            Account::Broken("slept".to_owned())
        });
        assert!(matches!(error, Err(CompilerError::TooLong(_))));
        assert!(begun.elapsed() < Duration::from_secs(50));
        let child = std::fs::read_to_string(&started).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let gone = || state().is_empty() || state().contains(") Z ");
        while !gone() {
            assert!(begun.elapsed() < Duration::from_secs(50), "{}", state());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_library_that_is_none_is_named() {
        let place = tempfile::tempdir().unwrap();
        let library = place.path().join("none.so");
        let compiled = compile_apart(
            (&library, &[]),
            &[],
            Mlir::Bytes(b""),
            &place.path().join("out"),
            None,
        );
        let error = compiled.unwrap_err().to_string();
        assert!(error.contains("none.so cannot be loaded"), "{error}");
    }
}
