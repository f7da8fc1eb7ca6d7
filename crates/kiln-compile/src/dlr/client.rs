//! A compiled model, opened in this process.

use std::ffi::{CString, c_int};
use std::path::Path;
use std::ptr;

use super::functions::{Functions, Handle, Side, text};
use super::{DlrError, Tensor, TensorInfo};

/// As loaders number it.
const CPU: c_int = 1;
/// The name of the library beside a model that can be opened here.
pub(crate) const LOADER: &str = "libdlr.so";

/// An open model. It can be sent to another thread, but is one thread's at a
/// time.
pub struct Client {
    handle: Handle,
    /// As they were when the model was opened, for their names and types.
    inputs: Vec<TensorInfo>,
    functions: Functions,
}

// SAFETY: a loader's model is not bound to the thread that opened it.
unsafe impl Send for Client {}

impl Client {
    /// Opens the model in a folder with the loader that lies beside it.
    pub fn open(folder: &Path) -> Result<Self, DlrError> {
        let functions = Functions::load(&folder.join(LOADER))?;
        let path = c_text(&folder.to_string_lossy())?;
        let mut handle: Handle = ptr::null_mut();
        // SAFETY: all pointers are valid for the call.
        let answer = unsafe { (functions.create)(&raw mut handle, path.as_ptr(), CPU, 0) };
        functions.check(answer)?;
        let inputs = Vec::new();
        let mut client = Self {
            handle,
            inputs,
            functions,
        };
        client.inputs = client.inputs()?;
        Ok(client)
    }

    /// What the loader calls this kind of model.
    pub fn backend(&mut self) -> Result<String, DlrError> {
        let mut name = ptr::null();
        // SAFETY: the handle is open, and the name is the loader's.
        unsafe {
            let answer = (self.functions.backend)(&raw mut self.handle, &raw mut name);
            self.functions.check(answer)?;
            Ok(text(name))
        }
    }

    /// The model's inputs; their shapes are those that were last set.
    pub fn inputs(&mut self) -> Result<Vec<TensorInfo>, DlrError> {
        self.all(self.functions.inputs)
    }

    /// The model's outputs; their shapes are certain once the model has run.
    pub fn outputs(&mut self) -> Result<Vec<TensorInfo>, DlrError> {
        self.all(self.functions.outputs)
    }

    /// Sets an input, which is copied.
    pub fn set_input(&mut self, tensor: &Tensor) -> Result<(), DlrError> {
        let info = &tensor.info;
        let input = self.inputs.iter().find(|input| input.name == info.name);
        let input = input.ok_or_else(|| DlrError::Missing(format!("input {:?}", info.name)))?;
        if input.kind != info.kind {
            return Err(DlrError::Type {
                name: info.name.clone(),
                found: info.kind.clone(),
                wanted: input.kind.clone(),
            });
        }
        tensor.check()?;
        let name = c_text(&info.name)?;
        let rank = info.shape.len() as c_int;
        // SAFETY: the shape has `rank` sizes, and there are as many values as
        // it says, of the type that the model takes.
        let answer = unsafe {
            (self.functions.set_input)(
                &raw mut self.handle,
                name.as_ptr(),
                info.shape.as_ptr(),
                tensor.bytes.as_ptr().cast(),
                rank,
            )
        };
        self.functions.check(answer)
    }

    /// Runs the model on the inputs that are set.
    pub fn run(&mut self) -> Result<(), DlrError> {
        // SAFETY: the handle is open.
        let answer = unsafe { (self.functions.run)(&raw mut self.handle) };
        self.functions.check(answer)
    }

    /// An output of the last run.
    pub fn output(&mut self, index: usize) -> Result<Tensor, DlrError> {
        let missing = || DlrError::Missing(format!("output number {index}"));
        let info = self.one(self.functions.outputs, index as c_int)?;
        let count = info.count().ok_or_else(missing)?;
        let mut bytes = vec![0; count * info.width()];
        // SAFETY: there is room for all of the output's values.
        let answer = unsafe {
            let to = bytes.as_mut_ptr().cast();
            (self.functions.output)(&raw mut self.handle, index as c_int, to)
        };
        self.functions.check(answer)?;
        Ok(Tensor { info, bytes })
    }

    /// All outputs of a run on these inputs.
    pub fn predict(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>, DlrError> {
        for input in inputs {
            self.set_input(input)?;
        }
        self.run()?;
        let outputs = self.outputs()?.len();
        (0..outputs).map(|index| self.output(index)).collect()
    }

    fn all(&mut self, side: Side) -> Result<Vec<TensorInfo>, DlrError> {
        let mut count = 0;
        // SAFETY: the handle is open, and the count is ours.
        let answer = unsafe { (side.count)(&raw mut self.handle, &raw mut count) };
        self.functions.check(answer)?;
        (0..count).map(|index| self.one(side, index)).collect()
    }

    fn one(&mut self, side: Side, index: c_int) -> Result<TensorInfo, DlrError> {
        let (mut name, mut kind) = (ptr::null(), ptr::null());
        let (mut size, mut rank) = (0, 0);
        let handle = &raw mut self.handle;
        // SAFETY: the handle is open, and what is written to is ours; the shape
        // has room for as many sizes as the loader has just said.
        unsafe {
            self.functions
                .check((side.name)(handle, index, &raw mut name))?;
            self.functions
                .check((side.kind)(handle, index, &raw mut kind))?;
            let answer = (side.size_and_rank)(handle, index, &raw mut size, &raw mut rank);
            self.functions.check(answer)?;
            let mut shape = vec![0; usize::try_from(rank).unwrap_or_default()];
            let answer = (side.shape)(handle, index, shape.as_mut_ptr());
            self.functions.check(answer)?;
            Ok(TensorInfo {
                name: text(name),
                kind: text(kind),
                shape,
            })
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nothing uses it afterwards.
        unsafe { (self.functions.delete)(&raw mut self.handle) };
    }
}

fn c_text(text: &str) -> Result<CString, DlrError> {
    CString::new(text).map_err(|_| DlrError::Missing(format!("name with a zero byte: {text:?}")))
}
