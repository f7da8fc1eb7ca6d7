//! Writes another framework's model as an ONNX file, so that what was read can
//! be looked at, and run by ONNX Runtime.
//!
//! ```text
//! as_onnx OUT.onnx darknet MODEL.cfg MODEL.weights
//! as_onnx OUT.onnx mxnet MODEL-symbol.json MODEL.params data=1,3,224,224 …
//! as_onnx OUT.onnx tflite MODEL.tflite
//! ```
//!
//! With `--plain` before all else, the model is also made plain for a compiler.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use kiln_graph::clean::{Sizes, clean};
use kiln_graph::model::Model;
use kiln_graph::{darknet, mxnet, onnx, tflite};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (is_plain, arguments) = match arguments[..] {
        ["--plain", ref rest @ ..] => (true, rest),
        ref all => (false, all),
    };
    let (out, model) = match *arguments {
        [out, "darknet", cfg, weights] => {
            let weights = fs::read(weights)?.into();
            (out, darknet::read(&fs::read(cfg)?, weights, None)?)
        }
        [out, "mxnet", symbol, params, ref inputs @ ..] => (out, mxnet(symbol, params, inputs)?),
        [out, "tflite", file] => (out, tflite::read(fs::read(file)?.into())?),
        _ => return Err("see the head of this file for what it takes".into()),
    };
    let model = if is_plain {
        clean(model, &Sizes::default())?
    } else {
        model
    };
    fs::write(out, onnx::write(&model))?;
    Ok(())
}

fn mxnet(symbol: &str, params: &str, inputs: &[&str]) -> Result<Model, Box<dyn Error>> {
    let mut sizes = BTreeMap::new();
    for input in inputs {
        let (name, dims) = input.split_once('=').ok_or("an input is NAME=SIZES")?;
        let dims = dims
            .split(',')
            .map(str::parse)
            .collect::<Result<Vec<usize>, _>>()?;
        sizes.insert(name.to_owned(), dims);
    }
    let params = fs::read(params)?.into();
    Ok(mxnet::read(&fs::read(symbol)?, params, &sizes)?)
}
