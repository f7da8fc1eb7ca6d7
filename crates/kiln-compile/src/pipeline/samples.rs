//! Inputs that came with a model: `samples/*.npz`.

use super::error::CompileError;
use crate::archive::{self, Unpacked};
use crate::array::{Array, read_npz};
use crate::dlr::TensorInfo;

/// The sets of inputs, each in the order of the model's inputs.
pub(super) fn read(
    unpacked: &Unpacked,
    inputs: &[TensorInfo],
) -> Result<Vec<Vec<Array>>, CompileError> {
    let files = archive::samples(unpacked);
    let set = |path: &std::path::PathBuf| {
        let name = path.strip_prefix(&unpacked.root).unwrap_or(path).display();
        let bytes = std::fs::read(path).map_err(CompileError::io(format!("reading {name}")))?;
        let arrays =
            read_npz(&bytes).map_err(|error| CompileError::Input(format!("{name}: {error}")))?;
        ordered(arrays, inputs).map_err(|error| CompileError::Input(format!("{name}: {error}")))
    };
    files.iter().map(set).collect()
}

/// The arrays by the inputs' names; a single one needs no name.
fn ordered(arrays: Vec<(String, Array)>, inputs: &[TensorInfo]) -> Result<Vec<Array>, String> {
    if let ([input], [(_, array)]) = (inputs, arrays.as_slice()) {
        return Ok(vec![fitting(array, input)?]);
    }
    let array = |input: &TensorInfo| {
        let found = arrays.iter().find(|(name, _)| *name == input.name);
        let (_, array) =
            found.ok_or_else(|| format!("it has no array for the input {:?}", input.name))?;
        fitting(array, input)
    };
    inputs.iter().map(array).collect()
}

/// The array as the input's type, if it has the input's sizes.
fn fitting(array: &Array, input: &TensorInfo) -> Result<Array, String> {
    let fits = array.shape().len() == input.shape.len()
        && input
            .shape
            .iter()
            .zip(array.shape())
            .all(|(wanted, size)| *wanted < 0 || *wanted == *size as i64);
    if !fits {
        return Err(format!(
            "its array for the input {:?} has the sizes {:?}, where the input has {:?}",
            input.name,
            array.shape(),
            input.shape
        ));
    }
    let element = input.kind.parse().map_err(|error| format!("{error}"))?;
    Ok(array.cast(element))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Element;

    #[test]
    fn arrays_come_in_the_order_of_the_inputs() {
        let array = |value| Array::of(Element::Float32, vec![1], [value]).unwrap();
        let info = |name: &str| TensorInfo {
            name: name.to_owned(),
            kind: "float32".to_owned(),
            shape: vec![1],
        };
        let arrays = vec![("b".to_owned(), array(2.0)), ("a".to_owned(), array(1.0))];
        let both = ordered(arrays.clone(), &[info("a"), info("b")]).unwrap();
        assert_eq!(both, [array(1.0), array(2.0)]);
        let alone = ordered(arrays[..1].to_vec(), &[info("x")]).unwrap();
        assert_eq!(alone, [array(2.0)]);
        let missing = ordered(arrays, &[info("a"), info("c")]).unwrap_err();
        assert_eq!(missing, "it has no array for the input \"c\"");
    }
}
