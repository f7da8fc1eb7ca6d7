//! The types of values as the compiler's `torch` dialect writes them.

use kiln_graph::model::{Dim, Element, Tensor, TensorType, Type};

/// The element type in MLIR; none for those that the compiler does not have.
fn element(element: Element) -> Option<&'static str> {
    use Element as E;
    Some(match element {
        E::F32 => "f32",
        E::U8 => "ui8",
        E::I8 => "si8",
        E::U16 => "ui16",
        E::I16 => "si16",
        E::I32 => "si32",
        E::I64 => "si64",
        E::Bool => "i1",
        E::F16 => "f16",
        E::F64 => "f64",
        E::U32 => "ui32",
        E::U64 => "ui64",
        E::Complex64 => "complex<f32>",
        E::Complex128 => "complex<f64>",
        E::Bf16 => "bf16",
        E::F8E4M3Fn => "f8E4M3FN",
        E::F8E4M3FnUz => "f8E4M3FNUZ",
        E::F8E5M2 => "f8E5M2",
        E::F8E5M2FnUz => "f8E5M2FNUZ",
        E::U4 => "ui4",
        E::I4 => "si4",
        E::F4E2M1 => "f4E2M1FN",
        E::F8E8M0 => "f8E8M0FNU",
        E::String => return None,
    })
}

/// A value's type; none if the compiler has none like it.
pub(super) fn value(ty: &Type) -> Option<String> {
    inner(ty).map(|inner| format!("!torch.{inner}"))
}

fn inner(ty: &Type) -> Option<String> {
    Some(match ty {
        Type::Tensor(tensor) => self::tensor(tensor)?,
        Type::Sequence(of) => format!("list<{}>", inner(of)?),
        Type::Optional(of) => format!("optional<{}>", inner(of)?),
        Type::Map { .. } | Type::Sparse(_) => return None,
    })
}

fn tensor(ty: &TensorType) -> Option<String> {
    let element = element(ty.element)?;
    let Some(dims) = &ty.dims else {
        return Some(format!("vtensor<*,{element}>"));
    };
    let sizes: Vec<_> = dims.iter().map(size).collect();
    Some(format!("vtensor<[{}],{element}>", sizes.join(",")))
}

fn size(dim: &Dim) -> String {
    dim.known().map_or("?".to_owned(), |size| size.to_string())
}

/// The type of a constant's elements, outside of the `torch` dialect.
pub(super) fn constant(tensor: &Tensor) -> Option<String> {
    let element = element(tensor.element())?;
    let sizes: String = tensor
        .dims()
        .iter()
        .map(|size| format!("{size}x"))
        .collect();
    Some(format!("tensor<{sizes}{element}>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_written_as_the_dialect_has_them() {
        let dims = Some(vec![Dim::Known(2), Dim::Unknown]);
        let open = Type::Tensor(TensorType {
            element: Element::I64,
            dims,
        });
        let cases = [
            (
                Type::tensor(Element::F32, &[]),
                Some("!torch.vtensor<[],f32>"),
            ),
            (
                Type::tensor(Element::Bool, &[2, 3]),
                Some("!torch.vtensor<[2,3],i1>"),
            ),
            (Type::tensor(Element::String, &[2, 3]), None),
            (open.clone(), Some("!torch.vtensor<[2,?],si64>")),
            (
                Type::Sequence(Box::new(open.clone())),
                Some("!torch.list<vtensor<[2,?],si64>>"),
            ),
            (
                Type::Optional(Box::new(Type::Sequence(Box::new(open)))),
                Some("!torch.optional<list<vtensor<[2,?],si64>>>"),
            ),
        ];
        for (ty, written) in cases {
            assert_eq!(value(&ty).as_deref(), written, "{ty}");
        }
        assert_eq!(
            constant(&Tensor::scalar(1_u8)).as_deref(),
            Some("tensor<ui8>")
        );
        assert_eq!(
            constant(&Tensor::vector(&[1.0_f32])).as_deref(),
            Some("tensor<1xf32>")
        );
    }
}
