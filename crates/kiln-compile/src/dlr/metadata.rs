//! `compiled.meta`: what a client can know of a model before it is loaded. Its
//! members are those that AWS's `dlr` reads.

use std::path::Path;

use serde_json::{Value, json};

use super::{DlrError, TensorInfo};

/// What is said of a compiled model.
#[derive(Debug, Clone)]
pub struct Metadata<'a> {
    /// What it was compiled for, as the job named it.
    pub target: &'a str,
    /// `cpu`, `gpu` or `opencl`; a client that asks for another is refused.
    pub device: &'a str,
    /// What it was compiled from, as the job named it.
    pub framework: &'a str,
    /// Its inputs.
    pub inputs: &'a [TensorInfo],
    /// Its outputs.
    pub outputs: &'a [TensorInfo],
    /// Whether zeros of the input are missing values, as in libsvm's text form.
    pub sparse_input: bool,
}

impl Metadata<'_> {
    /// Writes the file into a model's folder.
    pub fn write(&self, folder: &Path) -> Result<(), DlrError> {
        let text = format!("{:#}\n", self.document());
        let writing = DlrError::io("Writing compiled.meta");
        std::fs::write(folder.join("compiled.meta"), text).map_err(writing)
    }

    fn document(&self) -> Value {
        let mut model = json!({
            "Framework": self.framework,
            "Inputs": tensors(self.inputs),
            "Outputs": tensors(self.outputs),
        });
        if self.sparse_input {
            model["SparseInput"] = json!(1);
        }
        json!({
            "Compilation": { "Compiler": concat!("kiln ", env!("CARGO_PKG_VERSION")) },
            "Model": model,
            "Requirements": { "TargetDevice": self.target, "TargetDeviceType": self.device },
        })
    }
}

fn tensors(infos: &[TensorInfo]) -> Vec<Value> {
    let tensor =
        |info: &TensorInfo| json!({"name": info.name, "dtype": info.kind, "shape": info.shape});
    infos.iter().map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_the_one_that_dlr_reads() {
        let input = TensorInfo {
            name: "data".to_owned(),
            kind: "float32".to_owned(),
            shape: vec![-1, 4],
        };
        let metadata = Metadata {
            target: "ml_c5",
            device: "cpu",
            framework: "XGBOOST",
            inputs: &[input],
            outputs: &[],
            sparse_input: true,
        };
        let document = metadata.document();
        assert_eq!(document["Requirements"]["TargetDeviceType"], "cpu");
        assert_eq!(document["Model"]["SparseInput"], 1);
        let shape = &document["Model"]["Inputs"][0]["shape"];
        assert_eq!(*shape, json!([-1, 4]));
    }
}
