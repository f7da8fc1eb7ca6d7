//! The files of a result before they are written: which tensors will be in them, and what
//! each tensor of the model becomes.
//!
//! Each file of the model becomes one of the same name, so that a result is cut as the
//! model is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::pieces::in_order_of_files;
use crate::layout::Form;
use crate::model::{Model, module};
use crate::options::{Activations, Quantization};
use crate::safetensors::{Tensor, TensorSpec, Writer};
use crate::{Dtype, OptimizeError};

/// A file that will be written.
#[derive(Debug, Default)]
pub struct DraftFile {
    /// Its name.
    pub name: String,
    /// The numbers of the tensors that become what will be in it, in the order of the
    /// model's file.
    sources: Vec<usize>,
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
    /// What it becomes, if it is quantized. Weights of a type and shape share it.
    pub form: Option<Arc<Form>>,
}

/// All files, and the places of all tensors of the model in them. There may be a hundred
/// thousand tensors, so that what follows from their names is not kept.
#[derive(Debug)]
pub struct Draft<'a> {
    model: &'a Model,
    activations: Activations,
    /// The files.
    pub files: Vec<DraftFile>,
    /// For each tensor of the model, by its number.
    pub places: Vec<Place>,
}

impl<'a> Draft<'a> {
    /// Plans the files. `quantized` are the numbers of the tensors that are quantized, in
    /// order.
    pub fn new(
        model: &'a Model,
        quantization: &Quantization,
        quantized: &[usize],
    ) -> Result<Self, OptimizeError> {
        let mut draft = Self {
            model,
            activations: quantization.activations,
            files: model.files().map(file).collect(),
            places: Vec::new(),
        };
        let tensors = model.tensors();
        let mut forms = Forms::default();
        let mut ends = vec![0; draft.files.len()];
        let mut places = Vec::with_capacity(tensors.len());
        for number in in_order_of_files(tensors) {
            let tensor = &tensors[number];
            let is_quantized = quantized.binary_search(&number).is_ok();
            let form = is_quantized.then(|| forms.of(quantization, tensor));
            let form = form.transpose()?;
            let first = ends[tensor.file];
            let count = draft.count(form.as_deref());
            ends[tensor.file] += count;
            draft.files[tensor.file].sources.push(number);
            let place = Place {
                file: tensor.file,
                first,
                count,
                form,
            };
            places.push((number, place));
        }
        places.sort_by_key(|(number, _)| *number);
        draft.places = places.into_iter().map(|(_, place)| place).collect();
        Ok(draft)
    }

    /// How many tensors come of one.
    fn count(&self, form: Option<&Form>) -> usize {
        let scales = usize::from(self.activations == Activations::Static);
        form.map_or(1, |form| form.parts().len() + scales)
    }

    /// What a tensor of the model becomes.
    fn specs(&self, number: usize) -> Vec<TensorSpec> {
        let tensor = &self.model.tensors()[number];
        let Some(form) = &self.places[number].form else {
            return vec![TensorSpec {
                name: tensor.name.clone(),
                dtype: tensor.dtype,
                shape: tensor.shape.clone(),
            }];
        };
        let module = module(tensor);
        let parts = form.parts().iter().map(|part| TensorSpec {
            name: format!("{module}.{}", part.suffix),
            dtype: part.dtype,
            shape: part.shape.clone(),
        });
        let mut specs: Vec<TensorSpec> = parts.collect();
        if self.activations == Activations::Static {
            specs.push(TensorSpec {
                name: format!("{module}.input_scale"),
                dtype: tensor.dtype,
                shape: vec![1],
            });
        }
        specs
    }

    /// Bytes that a tensor of the model becomes.
    pub fn bytes_of(&self, number: usize) -> u64 {
        self.specs(number).iter().map(bytes).sum()
    }

    /// The most bytes that any tensor becomes besides the first of what it becomes.
    pub fn most_besides(&self) -> u64 {
        let besides = |number| self.specs(number).iter().skip(1).map(bytes).sum();
        (0..self.places.len())
            .map(besides)
            .max()
            .unwrap_or_default()
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        let numbers = 0..self.places.len();
        numbers.map(|number| self.bytes_of(number)).sum()
    }

    /// The tensors by the names that they come from, each with the name of its file.
    pub fn names(&self) -> impl Iterator<Item = (String, &str)> {
        let numbers = 0..self.places.len();
        numbers.flat_map(|number| {
            let file = self.files[self.places[number].file].name.as_str();
            let specs = self.specs(number).into_iter();
            specs.map(move |spec| (spec.name, file))
        })
    }

    /// Makes the files in a directory, with room for all tensors. With `in_order` what
    /// they become comes in the order of the model's files.
    pub fn create(&self, directory: &Path, in_order: bool) -> Result<Vec<Writer>, OptimizeError> {
        let create = |file: &DraftFile| {
            let path = directory.join(&file.name);
            let specs = file.sources.iter().flat_map(|number| self.specs(*number));
            Writer::create_in_order(&path, specs.collect(), &BTreeMap::new(), in_order)
        };
        self.files.iter().map(create).collect()
    }
}

/// A file of the result, which is called as one of the model.
fn file(path: &Path) -> DraftFile {
    let name = path.file_name().unwrap_or(path.as_os_str());
    DraftFile {
        name: name.to_string_lossy().into_owned(),
        sources: Vec::new(),
    }
}

/// What weights become, by their types and shapes, of which most models have few.
#[derive(Debug, Default)]
struct Forms(Vec<(Dtype, Vec<usize>, Arc<Form>)>);

impl Forms {
    fn of(
        &mut self,
        quantization: &Quantization,
        tensor: &Tensor,
    ) -> Result<Arc<Form>, OptimizeError> {
        let mut known = self.0.iter();
        let known =
            known.find(|(dtype, shape, _)| (dtype, shape) == (&tensor.dtype, &tensor.shape));
        if let Some((.., form)) = known {
            return Ok(Arc::clone(form));
        }
        let form = Arc::new(form(quantization, tensor)?);
        let entry = (tensor.dtype, tensor.shape.clone(), Arc::clone(&form));
        self.0.push(entry);
        Ok(form)
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

/// Bytes of a tensor.
fn bytes(spec: &TensorSpec) -> u64 {
    let elements: usize = spec.shape.iter().product();
    (elements * spec.dtype.size()) as u64
}
