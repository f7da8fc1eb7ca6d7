//! The C functions of IREE's compiler, found in its library by name.

use std::ffi::{OsStr, c_char, c_int, c_void};
use std::mem::ManuallyDrop;

use libloading::Library;

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* #[repr(C)]
        pub(super) struct $name {
            _nothing: [u8; 0],
        })*
    };
}

opaque! {
    /// `iree_compiler_error_t`
    RawError
    /// `iree_compiler_session_t`
    RawSession
    /// `iree_compiler_invocation_t`
    RawInvocation
    /// `iree_compiler_source_t`
    RawSource
    /// `iree_compiler_output_t`
    RawOutput
}

/// What is called with each diagnostic, from any thread.
pub(super) type OnDiagnostic = unsafe extern "C" fn(c_int, *const c_char, usize, *mut c_void);

/// `IREE_COMPILER_PIPELINE_STD`: all of the compilation.
pub(super) const WHOLE_PIPELINE: c_int = 0;

macro_rules! functions {
    ($($field:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions, which stay valid as long as the library is loaded.
        pub(super) struct Api {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            // The compiler cannot be initialised twice in a process, so it is never unloaded.
            _library: ManuallyDrop<Library>,
        }

        impl Api {
            /// Loads the library and finds all functions.
            pub(super) fn load(path: &OsStr) -> Result<Self, libloading::Error> {
                // SAFETY: the library's initialisers are those of IREE's compiler, which
                // touch nothing but its own globals.
                let library = ManuallyDrop::new(unsafe { Library::new(path) }?);
                Ok(Self {
                    // SAFETY: the types are those of `embedding_api.h`, whose ABI is stable
                    // within the major version that `Compiler::open` checks.
                    $($field: unsafe { *library.get($symbol)? },)*
                    _library: library,
                })
            }
        }
    };
}

functions! {
    error_destroy = b"ireeCompilerErrorDestroy": fn(*mut RawError);
    error_message = b"ireeCompilerErrorGetMessage": fn(*mut RawError) -> *const c_char;
    version = b"ireeCompilerGetAPIVersion": fn() -> c_int;
    initialize = b"ireeCompilerGlobalInitialize": fn();
    set_up = b"ireeCompilerSetupGlobalCL":
        fn(c_int, *const *const c_char, *const c_char, bool);
    revision = b"ireeCompilerGetRevision": fn() -> *const c_char;
    session_create = b"ireeCompilerSessionCreate": fn() -> *mut RawSession;
    session_destroy = b"ireeCompilerSessionDestroy": fn(*mut RawSession);
    session_set_flags = b"ireeCompilerSessionSetFlags":
        fn(*mut RawSession, c_int, *const *const c_char) -> *mut RawError;
    invocation_create = b"ireeCompilerInvocationCreate": fn(*mut RawSession) -> *mut RawInvocation;
    invocation_destroy = b"ireeCompilerInvocationDestroy": fn(*mut RawInvocation);
    invocation_diagnose = b"ireeCompilerInvocationEnableCallbackDiagnostics":
        fn(*mut RawInvocation, c_int, OnDiagnostic, *mut c_void);
    invocation_parse = b"ireeCompilerInvocationParseSource":
        fn(*mut RawInvocation, *mut RawSource) -> bool;
    invocation_run = b"ireeCompilerInvocationPipeline": fn(*mut RawInvocation, c_int) -> bool;
    invocation_write = b"ireeCompilerInvocationOutputVMBytecode":
        fn(*mut RawInvocation, *mut RawOutput) -> *mut RawError;
    source_open = b"ireeCompilerSourceOpenFile":
        fn(*mut RawSession, *const c_char, *mut *mut RawSource) -> *mut RawError;
    source_wrap = b"ireeCompilerSourceWrapBuffer":
        fn(*mut RawSession, *const c_char, *const c_char, usize, bool, *mut *mut RawSource)
            -> *mut RawError;
    source_destroy = b"ireeCompilerSourceDestroy": fn(*mut RawSource);
    output_open = b"ireeCompilerOutputOpenFile":
        fn(*const c_char, *mut *mut RawOutput) -> *mut RawError;
    output_keep = b"ireeCompilerOutputKeep": fn(*mut RawOutput);
    output_destroy = b"ireeCompilerOutputDestroy": fn(*mut RawOutput);
}
