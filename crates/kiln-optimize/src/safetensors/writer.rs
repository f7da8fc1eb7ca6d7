//! Writes a file whose tensors' sizes are known beforehand: first the header, then any part
//! of any tensor, in any order and from any thread. It costs less where it is known that they
//! come in the order in which they are in the file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::{Fault, header};
use crate::places::{Place, Places};
use crate::report::FileReport;
use crate::{Dtype, OptimizeError};

/// A tensor that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// What its elements are.
    pub dtype: Dtype,
    /// How many elements it has in each dimension.
    pub shape: Vec<usize>,
}

/// A file that is being written.
#[derive(Debug)]
pub struct Writer(Places);

impl Writer {
    /// Makes the file with its header and with room for all tensors. `metadata` comes
    /// besides `"format": "pt"`, without which older loaders take no file.
    pub fn create(
        path: &Path,
        tensors: Vec<TensorSpec>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self, OptimizeError> {
        let Plan { head, places, size } =
            Plan::new(tensors, metadata, Order::Width).map_err(faulty(path))?;
        Places::create(path, &head, places, size).map(Self)
    }

    /// Makes the file with the tensors in the order of the list, if so all are aligned.
    /// `comes_so` tells that they are written in about that order too, which costs less.
    pub fn create_in_order(
        path: &Path,
        tensors: Vec<TensorSpec>,
        metadata: &BTreeMap<String, String>,
        comes_so: bool,
    ) -> Result<Self, OptimizeError> {
        if !are_aligned(&tensors) {
            return Self::create(path, tensors, metadata);
        }
        let Plan { head, places, size } =
            Plan::new(tensors, metadata, Order::List).map_err(faulty(path))?;
        let create = if comes_so {
            Places::create_in_order
        } else {
            Places::create
        };
        create(path, &head, places, size).map(Self)
    }

    /// Writes a part of a tensor, which is the one at this place of the list that the file
    /// was made with. The parts of a tensor must not overlap.
    ///
    /// # Panics
    ///
    /// If the part goes beyond the tensor.
    pub fn write_at(&self, tensor: usize, at: u64, bytes: &[u8]) -> Result<(), OptimizeError> {
        self.0.write_at(tensor, at, bytes)
    }

    /// Makes sure that everything was written, though perhaps not to the disk yet, and
    /// answers what the file is, where that is known without reading it.
    pub fn complete(&self) -> Result<Option<FileReport>, OptimizeError> {
        self.0.complete()
    }

    /// Makes sure that everything was written, and that it is on the disk.
    pub fn finish(self) -> Result<(), OptimizeError> {
        self.0.finish()
    }
}

/// The order of the tensors in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// The widest elements come first, so that all are aligned.
    Width,
    /// That of the list.
    List,
}

/// A file before it is made.
struct Plan {
    /// The header's bytes with the length before them.
    head: Vec<u8>,
    /// Where the tensors go, in the order of the list.
    places: Vec<Place>,
    /// The file's size.
    size: u64,
}

impl Plan {
    fn new(
        tensors: Vec<TensorSpec>,
        metadata: &BTreeMap<String, String>,
        order: Order,
    ) -> Result<Self, Fault> {
        let mut numbers: Vec<usize> = (0..tensors.len()).collect();
        if order == Order::Width {
            numbers.sort_by_key(|&tensor| {
                let spec = &tensors[tensor];
                (std::cmp::Reverse(spec.dtype.size()), &spec.name)
            });
        }

        let mut places = vec![(0, 0); tensors.len()];
        let mut end = 0_u64;
        for &tensor in &numbers {
            let spec = &tensors[tensor];
            let size = header::bytes(spec.dtype, &spec.shape);
            let after = size.and_then(|size| Some((size, end.checked_add(size)?)));
            let Some((size, after)) = after else {
                return Err(Fault::Shape {
                    tensor: spec.name.clone(),
                    shape: spec.shape.clone(),
                });
            };
            places[tensor] = (end, size);
            end = after;
        }

        numbers.sort_by_key(|&tensor| &tensors[tensor].name);
        let mut pairs = numbers.windows(2);
        if let Some(twins) = pairs.find(|pair| tensors[pair[0]].name == tensors[pair[1]].name) {
            return Err(Fault::Twice(tensors[twins[0]].name.clone()));
        }
        let described = numbers.iter().map(|&tensor| {
            let (begin, size) = places[tensor];
            (&tensors[tensor], [begin, begin + size])
        });
        let head = sealed(text(metadata, described));
        let data = head.len() as u64;
        let places = places.into_iter();
        let places = places.map(|(begin, size)| Place::new(data + begin, size));
        Ok(Self {
            places: places.collect(),
            size: data + end,
            head,
        })
    }
}

/// What the header has under a tensor's name.
#[derive(Serialize)]
struct Described<'a> {
    data_offsets: [u64; 2],
    dtype: Dtype,
    shape: &'a [usize],
}

/// The header's text: it is not made of values, of which there would be very many.
fn text<'a>(
    metadata: &BTreeMap<String, String>,
    tensors: impl Iterator<Item = (&'a TensorSpec, [u64; 2])>,
) -> String {
    let mut metadata = metadata.clone();
    metadata.insert("format".to_owned(), "pt".to_owned());
    let mut text = format!("{{\"__metadata__\":{}", json!(metadata));
    for (spec, data_offsets) in tensors {
        let described = Described {
            data_offsets,
            dtype: spec.dtype,
            shape: &spec.shape,
        };
        text.push_str(&format!(",{}:{}", json!(spec.name), json!(described)));
    }
    text + "}"
}

/// Whether each tensor begins at a multiple of its elements' width, in the order of the list.
fn are_aligned(tensors: &[TensorSpec]) -> bool {
    let mut end = 0_u64;
    tensors.iter().all(|spec| {
        let is_aligned = end.is_multiple_of(spec.dtype.size() as u64);
        end = end.saturating_add(header::bytes(spec.dtype, &spec.shape).unwrap_or(0));
        is_aligned
    })
}

/// For `map_err`: a file that cannot be.
fn faulty(path: &Path) -> impl FnOnce(Fault) -> OptimizeError {
    move |fault| OptimizeError::Weights {
        file: path.display().to_string(),
        fault,
    }
}

/// The text with its length before it, and with spaces so that the data is aligned.
fn sealed(json: String) -> Vec<u8> {
    let length = json.len().next_multiple_of(8);
    let mut header = json.into_bytes();
    header.resize(length, b' ');
    header.splice(0..0, (length as u64).to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Reader;
    use super::*;

    fn spec(name: &str, dtype: Dtype, shape: &[usize]) -> TensorSpec {
        TensorSpec {
            name: name.to_owned(),
            dtype,
            shape: shape.to_vec(),
        }
    }

    #[test]
    fn a_tensor_that_was_not_written_is_missed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("model.safetensors");
        let specs = vec![spec("a", Dtype::F16, &[3, 5])];
        let writer = Writer::create(&path, specs, &BTreeMap::new()).unwrap();
        writer.write_at(0, 10, &[0; 20]).unwrap();
        let said = writer.finish().unwrap_err().to_string();
        assert!(
            said.starts_with("ServerError: 20 of the 30 bytes from byte 96 on were written to "),
            "{said}"
        );
    }

    #[test]
    fn twins_are_not_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("model.safetensors");
        let specs = vec![spec("a", Dtype::U8, &[1]), spec("a", Dtype::F64, &[])];
        let refused = Writer::create(&path, specs, &BTreeMap::new()).unwrap_err();
        assert!(refused.to_string().ends_with("has the tensor a twice"));
        assert!(!path.exists());
    }

    #[test]
    fn tensors_are_aligned_in_an_order_or_not() {
        let codes = |count| spec("codes", Dtype::F8E4M3, &[count]);
        let scales = spec("scales", Dtype::Bf16, &[3]);
        assert!(are_aligned(&[codes(6), scales.clone(), codes(5)]));
        assert!(!are_aligned(&[codes(5), scales]));
    }

    #[test]
    fn a_file_in_the_order_of_the_list_is_known_without_reading_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("model.safetensors");
        let specs = vec![
            spec("codes", Dtype::I8, &[4]),
            spec("scales", Dtype::F16, &[2]),
            spec("nothing", Dtype::F32, &[0]),
            spec("after", Dtype::F32, &[1]),
        ];
        let writer = Writer::create_in_order(&path, specs, &BTreeMap::new(), true).unwrap();
        for (tensor, at, bytes) in [
            (1, 0, [5, 6]),
            (0, 0, [1, 2]),
            (1, 2, [7, 8]),
            (0, 2, [3, 4]),
            (3, 2, [11, 12]),
        ] {
            writer.write_at(tensor, at, &bytes).unwrap();
        }
        assert!(writer.complete().is_err());
        writer.write_at(3, 0, &[9, 10]).unwrap();
        let told = writer.complete().unwrap();
        let written = std::fs::read(&path).unwrap();
        assert!(written.ends_with(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
        assert_eq!(told, Some(crate::report::digest(&path).unwrap()));
    }

    fn dtypes() -> impl Strategy<Value = Dtype> {
        prop::sample::select(vec![
            Dtype::U8,
            Dtype::F8E4M3,
            Dtype::Bf16,
            Dtype::F16,
            Dtype::I32,
            Dtype::F32,
            Dtype::I64,
        ])
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            tensors in prop::collection::btree_map(
                "[a-z\"\\\\é.]{1,9}",
                (dtypes(), prop::collection::vec(0_usize..5, 0..4)),
                0..9,
            ),
            parts in 1_usize..7,
        ) {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("model.safetensors");
            let specs: Vec<TensorSpec> = tensors
                .iter()
                .map(|(name, (dtype, shape))| spec(name, *dtype, shape))
                .collect();
            let content = |tensor: usize, at: u64| (tensor as u64 * 31 + at * 7) as u8;
            let metadata = BTreeMap::from([("by".to_owned(), "Kiln".to_owned())]);
            let writer = Writer::create(&path, specs.clone(), &metadata).unwrap();
            for (tensor, spec) in specs.iter().enumerate() {
                let size = header::bytes(spec.dtype, &spec.shape).unwrap();
                let bytes: Vec<u8> = (0..size).map(|at| content(tensor, at)).collect();
                let parts: Vec<&[u8]> = bytes.chunks(parts).collect();
                let mut at = size;
                for part in parts.into_iter().rev() {
                    at -= part.len() as u64;
                    writer.write_at(tensor, at, part).unwrap();
                }
            }
            writer.finish().unwrap();

            let (reader, found) = Reader::open(&path, 3).unwrap();
            prop_assert_eq!(found.len(), specs.len());
            let mut widths = Vec::new();
            for tensor in &found {
                let number = specs.iter().position(|spec| spec.name == tensor.name).unwrap();
                prop_assert_eq!(tensor.dtype, specs[number].dtype);
                prop_assert_eq!(&tensor.shape, &specs[number].shape);
                prop_assert_eq!(tensor.range.start % tensor.dtype.size() as u64, 0);
                prop_assert_eq!(tensor.file, 3);
                let mut bytes = vec![0; tensor.bytes() as usize];
                reader.read_at(tensor.range.start, &mut bytes).unwrap();
                for (at, byte) in bytes.into_iter().enumerate() {
                    prop_assert_eq!(byte, content(number, at as u64));
                }
                // Those without elements are all in one place.
                if tensor.bytes() > 0 {
                    widths.push(std::cmp::Reverse(tensor.dtype.size()));
                }
            }
            prop_assert!(widths.is_sorted());
        }
    }
}
