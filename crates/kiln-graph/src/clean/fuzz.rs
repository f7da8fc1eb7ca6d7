//! Fuzz targets: whatever a network says, making it plain ends without a panic, and
//! what is plain does not grow when it is made plain again.

use bolero::check;

use super::{Sizes, clean};
use crate::model::{Attribute, Dim, Element, Graph, Model, Node, Tensor, TensorType, Type, Value};

const OPERATORS: [&str; 72] = [
    "Add",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "CenterCropPad",
    "Clip",
    "Col2Im",
    "Compress",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "CumSum",
    "DepthToSpace",
    "DequantizeLinear",
    "DFT",
    "Div",
    "Dropout",
    "Einsum",
    "Expand",
    "EyeLike",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gemm",
    "GridSample",
    "Identity",
    "If",
    "LayerNormalization",
    "Loop",
    "LSTM",
    "MatMul",
    "MaxPool",
    "MaxUnpool",
    "Mod",
    "Mul",
    "Neg",
    "NonZero",
    "OneHot",
    "Pad",
    "Pow",
    "PRelu",
    "QuantizeLinear",
    "Range",
    "ReduceMax",
    "ReduceMean",
    "ReduceProd",
    "ReduceSum",
    "Reshape",
    "Resize",
    "RoiAlign",
    "Scan",
    "ScatterElements",
    "ScatterND",
    "Shape",
    "Size",
    "Slice",
    "Softmax",
    "SpaceToDepth",
    "Split",
    "SplitToSequence",
    "Squeeze",
    "STFT",
    "Sub",
    "Tile",
    "TopK",
    "Transpose",
    "Unsqueeze",
    "Where",
];

const ATTRIBUTES: [&str; 28] = [
    "allowzero",
    "axes",
    "axis",
    "batch_dims",
    "blocksize",
    "ceil_mode",
    "dilations",
    "end",
    "fmod",
    "group",
    "hidden_size",
    "k",
    "keepdims",
    "kernel_shape",
    "layout",
    "num_scan_inputs",
    "onesided",
    "output_padding",
    "output_shape",
    "pads",
    "perm",
    "scales",
    "spatial",
    "split",
    "start",
    "starts",
    "strides",
    "to",
];

/// The bytes of a network that does not care what it says, and the values that it
/// has so far.
struct Source<'a>(&'a [u8], Vec<String>);

impl Source<'_> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.byte() % all.len()]
    }

    /// Mostly a small number, sometimes one at the edge.
    fn number(&mut self) -> i64 {
        match self.byte() {
            255 => i64::MAX,
            254 => i64::MIN,
            253 => 1 << 40,
            byte => i64::try_from(byte % 12).unwrap() - 4,
        }
    }

    fn numbers(&mut self) -> Vec<i64> {
        (0..self.byte() % 5).map(|_| self.number()).collect()
    }

    /// A new value, if it is wanted.
    fn name(&mut self) -> String {
        let name = match self.byte() % 16 {
            15 => String::new(),
            _ => format!("v{}", self.1.len()),
        };
        self.1.push(name.clone());
        name
    }

    /// A value that is there, mostly.
    fn known_name(&mut self) -> String {
        match self.byte() {
            number if number < 240 && !self.1.is_empty() => self.1[number % self.1.len()].clone(),
            number if number < 250 => String::new(),
            _ => "nowhere".to_owned(),
        }
    }

    fn tensor(&mut self) -> Tensor {
        match self.byte() % 5 {
            0 => Tensor::vector(&self.numbers()),
            1 => Tensor::scalar(self.number()),
            2 => Tensor::scalar(self.byte().is_multiple_of(2)),
            3 => {
                let dims: Vec<usize> = (0..self.byte() % 4).map(|_| self.byte() % 4).collect();
                let values: Vec<f32> = (0..dims.iter().product()).map(|n| n as f32).collect();
                Tensor::of(&dims, &values).unwrap()
            }
            _ => Tensor::vector(&[self.number() as f32, f32::NAN]),
        }
    }

    fn attribute(&mut self, depth: usize) -> Attribute {
        match self.byte() % 4 {
            0 => Attribute::Int(self.number()),
            1 => Attribute::Tensor(self.tensor()),
            2 if depth < 3 => Attribute::Graph(Box::new(self.graph(depth + 1))),
            _ => Attribute::Ints(self.numbers()),
        }
    }

    fn node(&mut self, depth: usize) -> Node {
        let mut node = Node::new(self.of(&OPERATORS), &[], &[]);
        node.inputs = (0..self.byte() % 5).map(|_| self.known_name()).collect();
        for _ in 0..self.byte() % 4 {
            let name = match node.operator.as_str() {
                "If" => self.of(&["then_branch", "else_branch"]),
                "Loop" | "Scan" => self.of(&["body", "num_scan_inputs"]),
                "Constant" | "ConstantOfShape" => "value",
                _ => self.of(&ATTRIBUTES),
            };
            node.attributes
                .insert(name.to_owned(), self.attribute(depth));
        }
        if node.operator == "Einsum" {
            let equation = self.of(&["ij,jk->ik", "...i->...", "ii", "a,b", "->", "i..."]);
            node = node.with("equation", equation);
        }
        node.outputs = (0..1 + self.byte() % 3).map(|_| self.name()).collect();
        node
    }

    fn value(&mut self) -> Value {
        let element = self.of(&[Element::F32, Element::I64, Element::Bool, Element::U8]);
        let dim = |source: &mut Self| match source.byte() % 8 {
            6 => Dim::Named("N".to_owned()),
            7 => Dim::Unknown,
            size => Dim::Known(size),
        };
        let dims = (0..self.byte() % 5).map(|_| dim(self)).collect();
        let dims = (!self.byte().is_multiple_of(8)).then_some(dims);
        Value::new(self.name(), Type::Tensor(TensorType { element, dims }))
    }

    fn graph(&mut self, depth: usize) -> Graph {
        let inputs = (0..self.byte() % 4).map(|_| self.value()).collect();
        let initializers = (0..self.byte() % 5)
            .map(|_| (self.name(), self.tensor()))
            .collect();
        let nodes = (0..self.byte() % 6).map(|_| self.node(depth)).collect();
        let outputs = (0..1 + self.byte() % 3)
            .map(|_| Value {
                name: self.known_name(),
                ty: None,
            })
            .collect();
        Graph {
            inputs,
            initializers,
            nodes,
            outputs,
            ..Graph::default()
        }
    }
}

/// Cleans a network, and cleans what came of it once more.
fn cleans(bytes: &[u8]) {
    let mut source = Source(bytes, vec![]);
    let opset = i64::try_from(source.byte() % 23).unwrap();
    let graph = source.graph(0);
    let size = [None, Some(1), Some(2), Some(3)];
    let open: Sizes = graph
        .inputs
        .iter()
        .filter_map(|value| {
            let rank = value.ty.as_ref()?.as_tensor()?.rank()?;
            Some((
                value.name.clone(),
                (0..rank).map(|_| source.of(&size)).collect(),
            ))
        })
        .collect();
    let model = Model::new(graph, opset);
    let _ = clean(model.clone(), &Sizes::new());
    let Ok(plain) = clean(model, &open) else {
        return;
    };
    // What is known better the second time may turn out not to fit.
    if let Ok(again) = clean(plain.clone(), &open_as(&plain)) {
        assert_eq!(again.graph.outputs.len(), plain.graph.outputs.len());
        assert!(again.graph.nodes.len() <= plain.graph.nodes.len());
    }
}

/// Every size that a network leaves open stays open.
fn open_as(model: &Model) -> Sizes {
    let open = model.graph.inputs.iter().filter_map(|value| {
        let dims = value.ty.as_ref()?.as_tensor()?.dims.as_ref()?;
        Some((value.name.clone(), dims.iter().map(Dim::known).collect()))
    });
    open.collect()
}

#[test]
fn a_network_of_any_nodes() {
    check!()
        .with_iterations(20_000)
        .with_max_len(400)
        .for_each(cleans);
}
