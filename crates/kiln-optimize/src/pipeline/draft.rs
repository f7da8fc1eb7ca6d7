//! The files of a result before they are written: which tensors will be in them, and what
//! each tensor of the model becomes.
//!
//! Each file of the model becomes one of the same name, so that a result is cut as the
//! model is.

use std::collections::BTreeMap;
use std::path::Path;

use super::pieces::in_order_of_files;
use crate::OptimizeError;
use crate::layout::Form;
use crate::model::Model;
use crate::options::{Activations, Quantization};
use crate::safetensors::{Tensor, TensorSpec, Writer};

/// A file that will be written.
#[derive(Debug, Default)]
pub struct DraftFile {
    /// Its name.
    pub name: String,
    /// What will be in it.
    pub specs: Vec<TensorSpec>,
}

/// What becomes of a tensor of the model.
#[derive(Debug)]
pub struct Place {
    /// Which file it goes to.
    pub file: usize,
    /// Which of the file's tensors is the first of those that it becomes.
    pub first: usize,
    /// How many it becomes.
    pub count: usize,
    /// What it becomes, if it is quantized.
    pub form: Option<Form>,
}

/// All files, and the places of all tensors of the model in them.
#[derive(Debug, Default)]
pub struct Draft {
    /// The files.
    pub files: Vec<DraftFile>,
    /// For each tensor of the model, by its number.
    pub places: Vec<Place>,
}

impl Draft {
    /// Plans the files. `quantized` are the numbers of the tensors that are quantized, in
    /// order.
    pub fn new(
        model: &Model,
        quantization: &Quantization,
        quantized: &[usize],
    ) -> Result<Self, OptimizeError> {
        let mut draft = Self::default();
        for path in model.files() {
            let name = path.file_name().unwrap_or(path.as_os_str());
            draft.files.push(DraftFile {
                name: name.to_string_lossy().into_owned(),
                specs: Vec::new(),
            });
        }
        let tensors = model.tensors();
        let mut places = Vec::new();
        for number in in_order_of_files(tensors) {
            let is_quantized = quantized.binary_search(&number).is_ok();
            let form = is_quantized.then(|| form(quantization, &tensors[number]));
            let form = form.transpose()?;
            let place = draft.add(&tensors[number], form, quantization.activations);
            places.push((number, place));
        }
        places.sort_by_key(|(number, _)| *number);
        draft.places = places.into_iter().map(|(_, place)| place).collect();
        Ok(draft)
    }

    fn add(&mut self, tensor: &Tensor, form: Option<Form>, activations: Activations) -> Place {
        let file = &mut self.files[tensor.file];
        let first = file.specs.len();
        match &form {
            Some(form) => {
                file.specs.extend(specs(form, tensor));
                if activations == Activations::Static {
                    file.specs.push(TensorSpec {
                        name: format!("{}.input_scale", module(tensor)),
                        dtype: tensor.dtype,
                        shape: vec![1],
                    });
                }
            }
            None => file.specs.push(TensorSpec {
                name: tensor.name.clone(),
                dtype: tensor.dtype,
                shape: tensor.shape.clone(),
            }),
        }
        Place {
            file: tensor.file,
            first,
            count: file.specs.len() - first,
            form,
        }
    }

    /// Bytes that a tensor of the model becomes.
    pub fn bytes_of(&self, number: usize) -> u64 {
        let place = &self.places[number];
        let specs = &self.files[place.file].specs;
        let specs = &specs[place.first..place.first + place.count];
        specs.iter().map(bytes).sum()
    }

    /// The most bytes that any tensor becomes besides the first of what it becomes.
    pub fn most_besides(&self) -> u64 {
        let besides = self.places.iter().map(|place| {
            let specs = &self.files[place.file].specs;
            let specs = &specs[place.first..place.first + place.count];
            specs.iter().skip(1).map(bytes).sum()
        });
        besides.max().unwrap_or_default()
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        let specs = self.files.iter().flat_map(|file| &file.specs);
        specs.map(bytes).sum()
    }

    /// The tensors, each with the name of its file.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter();
        files.flat_map(|file| {
            let specs = file.specs.iter();
            specs.map(|spec| (spec.name.as_str(), file.name.as_str()))
        })
    }

    /// Makes the files in a directory, with room for all tensors. With `in_order` what
    /// they become comes in the order of the model's files.
    pub fn create(&self, directory: &Path, in_order: bool) -> Result<Vec<Writer>, OptimizeError> {
        let create = |file: &DraftFile| {
            let path = directory.join(&file.name);
            Writer::create_in_order(&path, file.specs.clone(), &BTreeMap::new(), in_order)
        };
        self.files.iter().map(create).collect()
    }
}

/// What a weight becomes.
pub fn form(quantization: &Quantization, tensor: &Tensor) -> Result<Form, OptimizeError> {
    let shape = [tensor.shape[0], tensor.shape[1]];
    narrow_form(quantization, tensor, shape)
}

/// What some columns of a weight become.
pub fn narrow_form(
    quantization: &Quantization,
    tensor: &Tensor,
    shape: [usize; 2],
) -> Result<Form, OptimizeError> {
    let scheme = &quantization.scheme;
    let form = Form::new(quantization.layout, scheme, tensor.dtype, shape);
    form.map_err(|error| OptimizeError::Layout {
        tensor: tensor.name.clone(),
        error,
    })
}

fn specs<'a>(form: &'a Form, tensor: &Tensor) -> impl Iterator<Item = TensorSpec> + 'a {
    let module = module(tensor).to_owned();
    form.parts().iter().map(move |part| TensorSpec {
        name: format!("{module}.{}", part.suffix),
        dtype: part.dtype,
        shape: part.shape.clone(),
    })
}

/// The linear layer whose weight this is.
fn module(tensor: &Tensor) -> &str {
    let name = tensor.name.as_str();
    name.strip_suffix(".weight").unwrap_or(name)
}

/// Bytes of a tensor.
fn bytes(spec: &TensorSpec) -> u64 {
    let elements: usize = spec.shape.iter().product();
    (elements * spec.dtype.size()) as u64
}
