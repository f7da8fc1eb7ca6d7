//! The C functions of a model's loader (native/dlr.c), by their names.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;

use libloading::Library;

use super::DlrError;

/// What the loader calls an open model.
pub(super) type Handle = *mut c_void;

type OfIndex<T> = unsafe extern "C" fn(*mut Handle, c_int, *mut T) -> c_int;
type SizeAndRank = unsafe extern "C" fn(*mut Handle, c_int, *mut i64, *mut c_int) -> c_int;

/// The functions, and the library that they lie in.
pub(super) struct Functions {
    last_error: unsafe extern "C" fn() -> *const c_char,
    pub create: unsafe extern "C" fn(*mut Handle, *const c_char, c_int, c_int) -> c_int,
    pub delete: unsafe extern "C" fn(*mut Handle) -> c_int,
    pub set_input:
        unsafe extern "C" fn(*mut Handle, *const c_char, *const i64, *const c_void, c_int) -> c_int,
    pub run: unsafe extern "C" fn(*mut Handle) -> c_int,
    pub backend: unsafe extern "C" fn(*mut Handle, *mut *const c_char) -> c_int,
    pub inputs: Side,
    pub outputs: Side,
    pub output: unsafe extern "C" fn(*mut Handle, c_int, *mut c_void) -> c_int,
    /// Dropped last, since all of the above point into it.
    _library: Library,
}

/// What is asked of inputs and of outputs alike.
#[derive(Clone, Copy)]
pub(super) struct Side {
    pub count: unsafe extern "C" fn(*mut Handle, *mut c_int) -> c_int,
    pub name: OfIndex<*const c_char>,
    pub kind: OfIndex<*const c_char>,
    pub size_and_rank: SizeAndRank,
    pub shape: OfIndex<i64>,
}

impl Functions {
    /// Loads the library of a model's folder.
    pub fn load(path: &Path) -> Result<Self, DlrError> {
        // SAFETY: the library is one that this program built, or one that its
        // user asks to run; it has no constructors.
        let library = unsafe { Library::new(path) }?;
        // SAFETY: each name's type is that of native/dlr.c, and the pointers
        // live no longer than the library beside them.
        unsafe {
            Ok(Self {
                last_error: *library.get(b"DLRGetLastError\0")?,
                create: *library.get(b"CreateDLRModel\0")?,
                delete: *library.get(b"DeleteDLRModel\0")?,
                set_input: *library.get(b"SetDLRInput\0")?,
                run: *library.get(b"RunDLRModel\0")?,
                backend: *library.get(b"GetDLRBackend\0")?,
                inputs: Side {
                    count: *library.get(b"GetDLRNumInputs\0")?,
                    name: *library.get(b"GetDLRInputName\0")?,
                    kind: *library.get(b"GetDLRInputType\0")?,
                    size_and_rank: *library.get(b"GetDLRInputSizeDim\0")?,
                    shape: *library.get(b"GetDLRInputShape\0")?,
                },
                outputs: Side {
                    count: *library.get(b"GetDLRNumOutputs\0")?,
                    name: *library.get(b"GetDLROutputName\0")?,
                    kind: *library.get(b"GetDLROutputType\0")?,
                    size_and_rank: *library.get(b"GetDLROutputSizeDim\0")?,
                    shape: *library.get(b"GetDLROutputShape\0")?,
                },
                output: *library.get(b"GetDLROutput\0")?,
                _library: library,
            })
        }
    }

    /// What a function's answer means.
    pub fn check(&self, answer: c_int) -> Result<(), DlrError> {
        if answer == 0 {
            return Ok(());
        }
        // SAFETY: the loader answers with a text of its own, which stands until
        // this thread calls it again.
        let said = unsafe { text((self.last_error)()) };
        Err(DlrError::Model(said))
    }
}

/// A copy of the loader's text.
///
/// # Safety
/// The pointer is null or points to a text that ends in a zero.
pub(super) unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller says so.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_string_lossy().into_owned()
}
