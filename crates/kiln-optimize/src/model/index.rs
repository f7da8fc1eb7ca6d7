//! `model.safetensors.index.json`: which file each tensor is in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::OptimizeError;
use crate::safetensors::Tensor;

/// As long as the headers of the files may be.
const LONGEST: u64 = 100_000_000;

/// The index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Index {
    /// The file of each tensor.
    pub(super) weight_map: BTreeMap<String, String>,
}

impl Index {
    /// The files that it names.
    pub(super) fn files(&self) -> BTreeSet<&str> {
        self.weight_map.values().map(String::as_str).collect()
    }
}

pub(super) fn read(path: &Path) -> Result<Index, OptimizeError> {
    let file = File::open(path).map_err(OptimizeError::read(path))?;
    let reader = BufReader::new(file).take(LONGEST);
    serde_json::from_reader(reader).map_err(|error| {
        let name = path.file_name().unwrap_or_default().display();
        OptimizeError::Model(format!("{name} is not an index of tensors: {error}"))
    })
}

/// All tensors, sorted by name, have one place each.
pub(super) fn refuse_twins(tensors: &[Tensor], files: &[String]) -> Result<(), OptimizeError> {
    let twins = tensors.windows(2).find(|pair| pair[0].name == pair[1].name);
    let Some([first, second]) = twins else {
        return Ok(());
    };
    Err(OptimizeError::Model(format!(
        "the tensor {} is in both {} and {}",
        first.name, files[first.file], files[second.file]
    )))
}

/// Every tensor is where the index, whose own name is `name`, says.
pub(super) fn check(
    index: &Index,
    name: &str,
    tensors: &[Tensor],
    files: &[String],
) -> Result<(), OptimizeError> {
    for (tensor, file) in &index.weight_map {
        let found = tensors.binary_search_by(|found| found.name.as_str().cmp(tensor));
        let place = found.ok().map(|at| &files[tensors[at].file]);
        let place = match place {
            Some(place) if place == file => continue,
            Some(place) => format!("but it is in {place}"),
            None => "but it is in no file".to_owned(),
        };
        return Err(OptimizeError::Model(format!(
            "{name} says that the tensor {tensor} is in {file}, {place}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;

    fn tensor(name: &str, file: usize) -> Tensor {
        Tensor {
            name: name.to_owned(),
            dtype: Dtype::U8,
            shape: vec![],
            file,
            range: 0..1,
        }
    }

    fn files() -> Vec<String> {
        vec!["one".to_owned(), "two".to_owned()]
    }

    #[test]
    fn a_tensor_is_in_one_file() {
        let tensors = [tensor("a", 0), tensor("b", 0), tensor("b", 1)];
        assert!(refuse_twins(&tensors[..2], &files()).is_ok());
        let said = refuse_twins(&tensors, &files()).unwrap_err().to_string();
        assert_eq!(said, "ClientError: the tensor b is in both one and two");
    }

    #[test]
    fn an_index_is_held_to_its_word() {
        let tensors = [tensor("a", 0), tensor("b", 1), tensor("more", 1)];
        let cases = [
            ("a", "one", None),
            (
                "b",
                "one",
                Some("index says that the tensor b is in one, but it is in two"),
            ),
            (
                "c",
                "one",
                Some("index says that the tensor c is in one, but it is in no file"),
            ),
        ];
        for (name, file, expected) in cases {
            let weight_map = BTreeMap::from([(name.to_owned(), file.to_owned())]);
            let said = check(&Index { weight_map }, "index", &tensors, &files());
            let said = said.err().map(|error| error.to_string());
            assert_eq!(said, expected.map(|said| format!("ClientError: {said}")));
        }
    }
}
