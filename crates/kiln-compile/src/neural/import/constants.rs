//! Constants and attributes, as MLIR writes them.

use bytes::Bytes;
use kiln_graph::model::{Attribute, Tensor};

use super::module::{Attr, Module, quoted};
use super::types;

/// A tensor's elements; none if the compiler has no such elements.
pub(super) fn tensor(module: &mut Module, tensor: &Tensor) -> Option<Attr> {
    let ty = types::constant(tensor)?;
    let bytes = tensor.bytes()?;
    if tensor.is_empty() {
        return Some(Attr::Text(format!("dense<> : {ty}")));
    }
    let bytes = match tensor.element().bits() {
        4 => unpacked(bytes, tensor),
        _ => bytes.clone(),
    };
    let index = module.resource(bytes);
    Some(Attr::Resource { index, ty })
}

/// Elements of half a byte, each in a byte of its own as MLIR keeps them.
fn unpacked(bytes: &Bytes, tensor: &Tensor) -> Bytes {
    let halves = bytes.iter().flat_map(|pair| [pair & 0xf, pair >> 4]);
    let signed = tensor.element().is_signed_integer();
    let widened = halves.map(|half| {
        if signed && half > 7 {
            half | 0xf0
        } else {
            half
        }
    });
    widened.take(tensor.len()).collect()
}

/// An attribute; none if it is of a kind that an operation cannot have.
pub(super) fn attribute(module: &mut Module, attribute: &Attribute) -> Option<Attr> {
    let text = match attribute {
        Attribute::Float(value) => float(*value),
        Attribute::Int(value) => int(*value),
        Attribute::String(text) => quoted(text),
        Attribute::Floats(values) => list(values, |value| float(*value)),
        Attribute::Ints(values) => list(values, |value| int(*value)),
        Attribute::Strings(texts) => list(texts, |text| quoted(text)),
        Attribute::Tensor(value) => return tensor(module, value),
        Attribute::Tensors(_) | Attribute::Type(_) | Attribute::Types(_) => return None,
        Attribute::Graph(_) | Attribute::Graphs(_) => return None,
    };
    Some(Attr::Text(text))
}

/// By its bits, since MLIR's decimal notation has no infinities.
fn float(value: f32) -> String {
    format!("0x{:08X} : f32", value.to_bits())
}

/// A whole number of the format's width.
pub(super) fn int(value: i64) -> String {
    format!("{value} : si64")
}

fn list<T>(values: &[T], one: impl Fn(&T) -> String) -> String {
    let values: Vec<_> = values.iter().map(one).collect();
    format!("[{}]", values.join(", "))
}

#[cfg(test)]
mod tests {
    use kiln_graph::model::Element;

    use super::*;

    fn written(value: &Attribute) -> String {
        match attribute(&mut Module::default(), value) {
            Some(Attr::Text(text)) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn attributes_are_written_as_the_importer_of_the_compiler_has_them() {
        assert_eq!(written(&1.0_f32.into()), "0x3F800000 : f32");
        assert_eq!(written(&f32::NEG_INFINITY.into()), "0xFF800000 : f32");
        assert_eq!(written(&vec![1, -2].into()), "[1 : si64, -2 : si64]");
        assert_eq!(written(&"say \"é\"\n".into()), r#""say \22\C3\A9\22\0A""#);
        assert_eq!(
            written(&Tensor::vector::<f32>(&[]).into()),
            "dense<> : tensor<0xf32>"
        );
    }

    #[test]
    fn halves_of_bytes_are_widened() {
        let three = Tensor::new(Element::I4, vec![3], Bytes::from_static(&[0x2f, 7])).unwrap();
        assert_eq!(
            unpacked(three.bytes().unwrap(), &three).as_ref(),
            [0xff, 2, 7]
        );
    }
}
