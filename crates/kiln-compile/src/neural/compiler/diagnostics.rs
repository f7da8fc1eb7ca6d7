//! What the compiler says about a model, collected while it works.

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// An operation that is printed whole can be as long as the model's weights.
const LONGEST: usize = 4096;

/// Of a model with a mistake in each layer, the first ones say enough.
const MOST: usize = 200;

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// Explains the one before it.
    Note,
    /// Does not stop the compilation.
    Warning,
    /// Stops the compilation.
    Error,
    /// Tells of an optimisation.
    Remark,
}

/// One message of the compiler, cut short where it is very long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// What it says, often with the operation that it is about.
    pub message: String,
}

impl Diagnostic {
    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The first line, without the place in the source that is before it.
    #[must_use]
    pub fn headline(&self) -> &str {
        let line = self.message.lines().next().unwrap_or_default();
        line.split_once("error: ").map_or(line, |(_, rest)| rest)
    }
}

/// Where the compiler's messages go, from whatever thread they come.
#[derive(Default)]
pub(super) struct Collector(Mutex<Vec<Diagnostic>>);

impl Collector {
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, severity: Severity, message: &[u8]) {
        let mut diagnostics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if diagnostics.len() < MOST {
            let kept = &message[..message.len().min(LONGEST)];
            let message = String::from_utf8_lossy(kept).into_owned();
            diagnostics.push(Diagnostic { severity, message });
        }
    }
}

/// Takes one message; `collector` is the `Collector` that was given with this function.
pub(super) unsafe extern "C" fn collect(
    severity: c_int,
    message: *const c_char,
    length: usize,
    collector: *mut c_void,
) {
    let severity = match severity {
        0 => Severity::Note,
        1 => Severity::Warning,
        2 => Severity::Error,
        _ => Severity::Remark,
    };
    // SAFETY: the compiler passes back the pointer that it was given, to a collector that
    // outlives the invocation, and `collect` needs it shared only.
    let collector = unsafe { &*collector.cast::<Collector>() };
    if message.is_null() || length == 0 {
        return;
    }
    // SAFETY: the compiler says that so many bytes are there while this function runs.
    let message = unsafe { std::slice::from_raw_parts(message.cast::<u8>(), length) };
    collector.add(severity, message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_has_no_place_and_no_second_line() {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            message: "net.mlir:2:3: error: failed to legalize\n see current operation".to_owned(),
        };
        assert_eq!(diagnostic.headline(), "failed to legalize");
    }

    #[test]
    fn a_collector_takes_from_the_c_side_and_keeps_no_more_than_it_should() {
        let collector = Collector::default();
        let long = vec![b'x'; LONGEST * 2];
        for _ in 0..MOST + 10 {
            let pointer = std::ptr::from_ref(&collector).cast_mut().cast();
            // SAFETY: message and collector live here, longer than the call.
            unsafe { collect(2, long.as_ptr().cast(), long.len(), pointer) };
        }
        let diagnostics = collector.into_diagnostics();
        assert_eq!(diagnostics.len(), MOST);
        assert!(diagnostics.iter().all(|one| one.is_error()));
        assert!(diagnostics.iter().all(|one| one.message.len() == LONGEST));
    }
}
