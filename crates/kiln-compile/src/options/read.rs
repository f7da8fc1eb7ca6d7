//! Reads the options, each by the names that requests use for it.

use super::{OptionMistake, Options, OptionsError, value};
use crate::input_config::Dtype;
use crate::literal::{self, Entry, Literal, Value};

impl Options {
    /// Reads a request's `CompilerOptions`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with them, and where.
    pub fn read(text: &str) -> Result<Self, OptionsError> {
        let literal = literal::parse(text)?;
        let Value::Dictionary(entries) = &literal.value else {
            let mistake = OptionMistake::NotADictionary(literal.kind());
            return Err(OptionsError::Mistake {
                at: literal.at,
                mistake,
            });
        };
        let mut options = Self::default();
        for entry in entries {
            options.take(entry)?;
        }
        Ok(options)
    }

    fn take(&mut self, entry: &Entry) -> Result<(), OptionsError> {
        let place = match entry.key.as_str() {
            "dtype" | "DTYPE" => Place::of(&mut self.dtype, dtype, DTYPE),
            "mcpu" => Place::of(&mut self.mcpu, value::processor, MCPU),
            "mattr" => Place::list(&mut self.mattr, value::features, MATTR),
            "gpu-code" | "gpu_code" => Place::of(&mut self.gpu_code, value::gpu_code, GPU_CODE),
            "trt-ver" | "trt_ver" => Place::of(&mut self.tensorrt, value::version, TENSORRT),
            "cuda-ver" | "cuda_ver" => Place::of(&mut self.cuda, value::version, CUDA),
            "JETPACK_VERSION" => Place::of(&mut self.jetpack, value::version, JETPACK),
            "ANDROID_PLATFORM" => Place::of(
                &mut self.android_platform,
                value::android_platform,
                ANDROID_PLATFORM,
            ),
            "class_labels" => Place::of(&mut self.class_labels, value::text, CLASS_LABELS),
            "signature_def_key" => Place::of(&mut self.signature_def_key, value::text, SIGNATURE),
            "output_names" => Place::list(&mut self.output_names, value::texts, OUTPUT_NAMES),
            unknown => {
                let mistake = OptionMistake::Unknown(unknown.to_owned());
                return Err(OptionsError::Mistake {
                    at: entry.at,
                    mistake,
                });
            }
        };
        place.fill(entry)?;
        self.given.push(entry.key.clone());
        Ok(())
    }
}

const DTYPE: &str = "'float', 'float32', 'int64' or 'long'";
const MCPU: &str = "the name of a processor, such as 'skylake-avx512'";
const MATTR: &str = "a list of processor features, such as ['+neon']";
const GPU_CODE: &str = "the architecture of a GPU, such as 'sm_72'";
const TENSORRT: &str = "a version in x.y.z format, such as '6.0.1'";
const CUDA: &str = "a version in x.y format, such as '10.1'";
const JETPACK: &str = "a version in x.y format, such as '4.6'";
const ANDROID_PLATFORM: &str = "an API level from 21 to 29";
const CLASS_LABELS: &str = "the name of a file in the archive";
const SIGNATURE: &str = "the name of a signature";
const OUTPUT_NAMES: &str = "a list of tensor names, such as ['output_tensor:0']";

/// The documentation names two types. The others would not match what the
/// service does with them.
fn dtype(literal: &Literal) -> Option<Dtype> {
    let dtype = Dtype::parse(&value::text(literal)?)?;
    matches!(dtype, Dtype::Float32 | Dtype::Int64).then_some(dtype)
}

/// Where the value of an option goes.
struct Place<'a> {
    put: Box<dyn FnOnce(&Literal) -> Put + 'a>,
    expected: &'static str,
}

enum Put {
    Done,
    Occupied,
    NotAValue,
}

impl<'a> Place<'a> {
    fn of<T>(
        place: &'a mut Option<T>,
        read: impl Fn(&Literal) -> Option<T> + 'a,
        expected: &'static str,
    ) -> Self {
        let put = move |literal: &Literal| match read(literal) {
            None => Put::NotAValue,
            Some(_) if place.is_some() => Put::Occupied,
            Some(value) => {
                *place = Some(value);
                Put::Done
            }
        };
        let put = Box::new(put);
        Self { put, expected }
    }

    fn list<T>(
        place: &'a mut Vec<T>,
        read: impl Fn(&Literal) -> Option<Vec<T>> + 'a,
        expected: &'static str,
    ) -> Self {
        let put = move |literal: &Literal| match read(literal) {
            None => Put::NotAValue,
            Some(values) => {
                *place = values;
                Put::Done
            }
        };
        let put = Box::new(put);
        Self { put, expected }
    }

    fn fill(self, entry: &Entry) -> Result<(), OptionsError> {
        let option = entry.key.clone();
        let (at, mistake) = match (self.put)(&entry.value) {
            Put::Done => return Ok(()),
            Put::Occupied => (entry.at, OptionMistake::Twice(option)),
            Put::NotAValue => {
                let expected = self.expected;
                (entry.value.at, OptionMistake::Value { option, expected })
            }
        };
        Err(OptionsError::Mistake { at, mistake })
    }
}
