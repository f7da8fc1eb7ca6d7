//! The compiler's objects, each destroyed when its owner goes out of scope and none
//! before those that were made of it.

use std::ffi::{c_char, c_int};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr;

use super::api::{Api, RawError, RawInvocation, RawOutput, RawSession, RawSource, WHOLE_PIPELINE};
use super::diagnostics::{Collector, collect};
use super::{CompilerError, c_string, text};

/// Takes an error of the library, if there is one.
fn check(api: &Api, what: &'static str, error: *mut RawError) -> Result<(), CompilerError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: an error that is not null has a message until it is destroyed, once, here.
    let reason = unsafe { text((api.error_message)(error)) };
    // SAFETY: as above.
    unsafe { (api.error_destroy)(error) };
    Err(CompilerError::Refused { what, reason })
}

/// A scope with flags, in which models are compiled.
pub(super) struct Session<'a> {
    api: &'a Api,
    raw: *mut RawSession,
}

impl<'a> Session<'a> {
    pub(super) fn new(api: &'a Api) -> Self {
        // SAFETY: the compiler is initialised when there is an `Api` to borrow; making a
        // session cannot fail.
        let raw = unsafe { (api.session_create)() };
        Self { api, raw }
    }

    pub(super) fn set_flags(&self, flags: &[String]) -> Result<(), CompilerError> {
        let flags = flags
            .iter()
            .map(|flag| c_string(flag))
            .collect::<Result<Vec<_>, _>>()?;
        let pointers: Vec<*const c_char> = flags.iter().map(|flag| flag.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).unwrap_or(c_int::MAX);
        // SAFETY: the strings live until the call returns, and the library copies them.
        let error = unsafe { (self.api.session_set_flags)(self.raw, count, pointers.as_ptr()) };
        check(self.api, "its flags", error)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `new` and destroyed once; what borrows it is gone.
        unsafe { (self.api.session_destroy)(self.raw) };
    }
}

/// A model's text or bytecode.
pub(super) struct Source<'a> {
    api: &'a Api,
    raw: *mut RawSource,
    // The library reads from the session and the bytes as long as the source lives.
    _borrowed: PhantomData<&'a [u8]>,
}

impl<'a> Source<'a> {
    pub(super) fn open(session: &'a Session<'_>, path: &Path) -> Result<Self, CompilerError> {
        let name = c_string(&path.to_string_lossy())?;
        let mut raw = ptr::null_mut();
        // SAFETY: the session lives, and the name is read during the call only.
        let error = unsafe { (session.api.source_open)(session.raw, name.as_ptr(), &raw mut raw) };
        check(session.api, "the model's file", error)?;
        Ok(Self::of(session, raw))
    }

    /// The bytes end with a NUL.
    pub(super) fn wrap(session: &'a Session<'_>, bytes: &'a [u8]) -> Result<Self, CompilerError> {
        let mut raw = ptr::null_mut();
        // SAFETY: the session and the bytes outlive the source, as its lifetime says.
        let error = unsafe {
            (session.api.source_wrap)(
                session.raw,
                c"model".as_ptr(),
                bytes.as_ptr().cast(),
                bytes.len(),
                true,
                &raw mut raw,
            )
        };
        check(session.api, "the model", error)?;
        Ok(Self::of(session, raw))
    }

    fn of(session: &'a Session<'_>, raw: *mut RawSource) -> Self {
        Self {
            api: session.api,
            raw,
            _borrowed: PhantomData,
        }
    }
}

impl Drop for Source<'_> {
    fn drop(&mut self) {
        // SAFETY: made by the library and destroyed once.
        unsafe { (self.api.source_destroy)(self.raw) };
    }
}

/// One compilation.
pub(super) struct Invocation<'a> {
    api: &'a Api,
    raw: *mut RawInvocation,
}

impl<'a> Invocation<'a> {
    pub(super) fn new(session: &'a Session<'_>, collector: &'a Collector) -> Self {
        let api = session.api;
        // SAFETY: the session outlives the invocation, as its lifetime says.
        let raw = unsafe { (api.invocation_create)(session.raw) };
        let collector = ptr::from_ref(collector).cast_mut().cast();
        // SAFETY: the collector outlives the invocation, and messages come before its end.
        unsafe { (api.invocation_diagnose)(raw, 0, collect, collector) };
        Self { api, raw }
    }

    pub(super) fn parse(&self, source: &Source<'_>) -> bool {
        // SAFETY: both live, and belong to one session.
        unsafe { (self.api.invocation_parse)(self.raw, source.raw) }
    }

    pub(super) fn run(&self) -> bool {
        // SAFETY: the invocation lives and has a model.
        unsafe { (self.api.invocation_run)(self.raw, WHOLE_PIPELINE) }
    }

    pub(super) fn write(&self, output: &Output<'_>) -> Result<(), CompilerError> {
        // SAFETY: both live, and the whole pipeline has run.
        let error = unsafe { (self.api.invocation_write)(self.raw, output.raw) };
        check(self.api, "the module's file", error)
    }
}

impl Drop for Invocation<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `new` and destroyed once.
        unsafe { (self.api.invocation_destroy)(self.raw) };
    }
}

/// A file that disappears again unless it is kept.
pub(super) struct Output<'a> {
    api: &'a Api,
    raw: *mut RawOutput,
}

impl<'a> Output<'a> {
    pub(super) fn open(api: &'a Api, path: &Path) -> Result<Self, CompilerError> {
        let name = c_string(&path.to_string_lossy())?;
        let mut raw = ptr::null_mut();
        // SAFETY: the name is read during the call only.
        let error = unsafe { (api.output_open)(name.as_ptr(), &raw mut raw) };
        check(api, "the module's file", error)?;
        Ok(Self { api, raw })
    }

    pub(super) fn keep(&self) {
        // SAFETY: the output lives.
        unsafe { (self.api.output_keep)(self.raw) };
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `open` and destroyed once; the file is complete then.
        unsafe { (self.api.output_destroy)(self.raw) };
    }
}
