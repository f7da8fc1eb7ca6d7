//! IREE's compiler, driven through the C interface of its library.
//!
//! The library comes from the `iree-base-compiler` package, is loaded when it is needed
//! and stays loaded. A compilation cannot be interrupted: whoever wants to stop one ends
//! the process, and gives the process its memory limit too.

mod apart;
mod api;
mod diagnostics;
mod error;
mod objects;

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::{Path, PathBuf};

pub use apart::{Compiled, compile_apart};
pub use diagnostics::{Diagnostic, Severity};
pub use error::CompilerError;

use self::api::Api;
use self::diagnostics::Collector;
use self::objects::{Invocation, Output, Session, Source};

/// Where the compiler's library is, below the folder of Python packages that the
/// `iree-base-compiler` package is installed in.
pub const LIBRARY: &str = "iree/compiler/_mlir_libs/libIREECompiler.so";

/// A loaded compiler.
pub struct Compiler {
    api: Api,
}

/// What is compiled, in MLIR's text form or its bytecode.
#[derive(Debug, Clone, Copy)]
pub enum Mlir<'a> {
    /// A file.
    File(&'a Path),
    /// Bytes in memory, which need no NUL at their end.
    Bytes(&'a [u8]),
}

impl Compiler {
    /// Loads the compiler's library. Flags that the compiler knows for the whole process
    /// only are given here, by whoever is the first to open it; a wrong one ends the
    /// process.
    pub fn open(library: &Path, global: &[String]) -> Result<Self, CompilerError> {
        let api = Api::load(library.as_os_str()).map_err(|source| CompilerError::Load {
            path: PathBuf::from(library),
            source,
        })?;
        // SAFETY: takes nothing and only reads a constant.
        let version = unsafe { (api.version)() };
        let (major, minor) = (version >> 16, version & 0xffff);
        if major != 1 {
            return Err(CompilerError::Version { major, minor });
        }
        // SAFETY: may be called any number of times while no shutdown was, and none ever is.
        unsafe { (api.initialize)() };
        let compiler = Self { api };
        if !global.is_empty() {
            compiler.set_up(global)?;
        }
        Ok(compiler)
    }

    fn set_up(&self, flags: &[String]) -> Result<(), CompilerError> {
        // The first argument is the name of a program.
        let arguments = std::iter::once("kiln")
            .chain(flags.iter().map(String::as_str))
            .map(c_string)
            .collect::<Result<Vec<_>, _>>()?;
        let pointers: Vec<*const c_char> = arguments.iter().map(|one| one.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).unwrap_or(c_int::MAX);
        // SAFETY: the strings live during the call, and the library copies them. Handlers
        // of signals are the program's own business.
        unsafe { (self.api.set_up)(count, pointers.as_ptr(), c"kiln".as_ptr(), false) };
        Ok(())
    }

    /// The release that the library was built as.
    #[must_use]
    pub fn revision(&self) -> String {
        // SAFETY: the string is a constant of the library, or null in builds by hand.
        let revision = unsafe { (self.api.revision)() };
        // SAFETY: as above.
        unsafe { text(revision) }
    }

    /// Compiles a model to a VM module in a file, and answers what the compiler remarked.
    pub fn compile(
        &self,
        flags: &[String],
        source: Mlir<'_>,
        target: &Path,
    ) -> Result<Vec<Diagnostic>, CompilerError> {
        let collector = Collector::default();
        let done = self.run(flags, source, target, &collector)?;
        let diagnostics = collector.into_diagnostics();
        if done {
            Ok(diagnostics)
        } else {
            Err(CompilerError::Failed(diagnostics))
        }
    }

    /// Whether a module was written; if not, the collector has the reasons.
    fn run(
        &self,
        flags: &[String],
        source: Mlir<'_>,
        target: &Path,
        collector: &Collector,
    ) -> Result<bool, CompilerError> {
        let session = Session::new(&self.api);
        session.set_flags(flags)?;
        // The compiler reads text up to a NUL, and says so of bytes in memory.
        let ended;
        let source = match source {
            Mlir::File(path) => Source::open(&session, path)?,
            Mlir::Bytes(bytes) => {
                ended = [bytes, b"\0"].concat();
                Source::wrap(&session, &ended)?
            }
        };
        let invocation = Invocation::new(&session, collector);
        if !invocation.parse(&source) || !invocation.run() {
            return Ok(false);
        }
        let output = Output::open(&self.api, target)?;
        invocation.write(&output)?;
        output.keep();
        Ok(true)
    }
}

/// A string of the library; empty where there is none.
///
/// # Safety
/// The pointer is null, or to a string that ends with a NUL and lives during the call.
unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    let string = unsafe { CStr::from_ptr(string) };
    string.to_string_lossy().into_owned()
}

fn c_string(what: &str) -> Result<CString, CompilerError> {
    CString::new(what).map_err(|_| CompilerError::Nul {
        what: what.replace('\0', "\\0"),
    })
}
