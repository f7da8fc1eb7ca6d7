//! Operators whose inputs are all constants, computed beforehand. What is here
//! serves the arithmetic of shapes and small constant parts of networks.

mod arithmetic;
mod generation;
mod movement;
pub(crate) mod numbers;
mod places;
mod reduction;

use crate::model::{Dim, Tensor};
use crate::shapes::dim::known;
use crate::shapes::{Fact, Site};

/// A constant of more bytes than this is made only of constants that are no
/// smaller, so that folding never makes a model grow.
const GROWTH: usize = 256 << 10;

/// No constant of more elements than this is computed.
const LARGEST: usize = 1 << 23;

/// The bytes that were read and written for constants.
pub(crate) fn work(site: &Site, computed: &[Tensor]) -> usize {
    let given = site
        .inputs()
        .iter()
        .flatten()
        .filter_map(|fact| fact.constant.as_ref());
    let bytes = given
        .chain(computed)
        .filter_map(Tensor::bytes)
        .map(|bytes| bytes.len());
    bytes.fold(0, usize::saturating_add)
}

/// The outputs of an operator whose inputs are all constants of no more bytes than
/// `most`, if it can be computed here and is not better left to run. What its
/// outputs look like has been found.
pub(crate) fn evaluate(site: &Site, outputs: &[Fact], most: usize) -> Option<Vec<Tensor>> {
    if site
        .inputs()
        .iter()
        .flatten()
        .any(|input| input.constant.is_none())
    {
        return None;
    }
    let given = work(site, &[]);
    if given > most
        || outputs
            .iter()
            .take(site.outputs())
            .any(|fact| is_too_large(fact, given))
    {
        return None;
    }
    let tensors = match site.operator() {
        "Split" => movement::split(site, &shapes(outputs, site.outputs())?)?,
        "TopK" => reduction::top(site, &shapes(outputs, 1)?[0])?,
        "NonZero" => vec![generation::non_zero(site)?],
        _ => vec![single(site, outputs.first()?)?],
    };
    let sound = tensors.len() >= site.outputs() && tensors.iter().zip(outputs).all(agrees);
    sound.then_some(tensors)
}

fn shapes(outputs: &[Fact], count: usize) -> Option<Vec<Vec<usize>>> {
    outputs
        .get(..count)?
        .iter()
        .map(|fact| known(fact.dims()?))
        .collect()
}

fn is_too_large(fact: &Fact, given: usize) -> bool {
    let (Some(element), Some(dims)) = (fact.element(), fact.dims().and_then(known)) else {
        return false;
    };
    let count = dims
        .iter()
        .try_fold(1usize, |all, &size| all.checked_mul(size));
    let bytes = count.and_then(|count| element.bytes_of(count));
    count.is_none_or(|count| count > LARGEST) || bytes.is_none_or(|bytes| bytes > GROWTH.max(given))
}

/// Whether a constant is what was found of it before.
fn agrees((tensor, fact): (&Tensor, &Fact)) -> bool {
    let dims = fact.dims().is_none_or(|dims| {
        let same = |(dim, size): (&Dim, &usize)| dim.known().is_none_or(|dim| dim == *size);
        dims.len() == tensor.rank() && dims.iter().zip(tensor.dims()).all(same)
    });
    dims && fact
        .element()
        .is_none_or(|element| element == tensor.element())
}

/// The only output of an operator.
fn single(site: &Site, fact: &Fact) -> Option<Tensor> {
    let (element, dims) = (fact.element()?, known(fact.dims()?)?);
    let dims = dims.as_slice();
    match site.operator() {
        "Identity" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
            site.constant(0)?.reshaped(dims.to_vec()).ok()
        }
        "Abs" | "Neg" | "Sign" | "Relu" | "Floor" | "Ceil" | "Round" | "Not" | "BitwiseNot"
        | "Sqrt" | "Exp" | "Log" | "Sin" | "Cos" | "Tan" | "Tanh" | "Sigmoid" | "Reciprocal" => {
            arithmetic::unary(site)
        }
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Sum" | "Max" | "Min" | "Mean"
        | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => arithmetic::several(site, dims),
        "And" | "Or" | "Xor" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => {
            arithmetic::comparison(site, dims)
        }
        "IsNaN" | "IsInf" => arithmetic::is_nan_or_infinite(site),
        "Cast" | "CastLike" => arithmetic::cast(site, element),
        "Clip" => arithmetic::clip(site),
        "Where" => movement::chosen(site, dims),
        "Transpose" => movement::transposed(site, dims),
        "Slice" => movement::sliced(site, dims),
        "Expand" => movement::expanded(site.constant(0)?, dims),
        "Tile" => movement::tiled(site, dims),
        "Concat" => movement::joined(site, dims),
        "Pad" => movement::padded(site, dims),
        "Gather" => movement::gathered(site, dims),
        "GatherElements" => movement::gathered_elements(site, dims),
        "GatherND" => movement::gathered_parts(site, dims),
        "ScatterND" => movement::scattered_parts(site),
        "ScatterElements" => movement::scattered_elements(site),
        "ReduceL1" | "ReduceL2" | "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceProd"
        | "ReduceSum" | "ReduceSumSquare" => reduction::reduced(site, dims),
        "ArgMax" | "ArgMin" => reduction::arg(site, dims),
        "CumSum" => reduction::running_sum(site),
        "MatMul" => reduction::product(site, dims),
        "ConstantOfShape" => generation::filled(site, dims),
        "Range" => generation::range(site, dims),
        "EyeLike" => generation::identity_matrix(element, site, dims),
        "OneHot" => generation::one_hot(site, dims),
        "Trilu" => generation::triangle(site),
        "QuantizeLinear" => generation::quantized(site, element),
        "DequantizeLinear" => generation::dequantized(site, element),
        _ => None,
    }
}
