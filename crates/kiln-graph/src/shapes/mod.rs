//! What each operator makes of the types and shapes that it is given, as ONNX's
//! specification says from opset 17 on. Whole numbers are followed too, since they
//! become shapes again.

mod convolution;
pub(crate) mod dim;
mod elementwise;
pub(crate) mod fact;
mod generation;
mod joining;
mod movement;
mod normalization;
mod products;
mod quantization;
mod recurrent;
pub(crate) mod reduction;
mod sampling;
pub(crate) mod selection;
mod sequences;
mod site;
mod values;

pub(crate) use dim::Mismatch;
pub(crate) use fact::{Fact, Kind};
pub(crate) use site::Site;

/// What is known of an operator's outputs; there may be more than it names.
pub(crate) type Facts = Result<Vec<Fact>, Mismatch>;

/// What an operator of ONNX's own gives; `None` if it is not known here. Operators
/// that hold graphs are not.
pub(crate) fn infer(site: &Site) -> Option<Facts> {
    let rule = rule(site.operator())?;
    Some(rule(site).map(|mut facts| {
        if facts.first().is_some_and(|fact| fact.constant.is_none())
            && let Some(sizes) = values::followed(site)
        {
            let first = facts.remove(0);
            facts.insert(0, first.with_sizes(Some(sizes)));
        }
        facts
    }))
}

fn rule(operator: &str) -> Option<fn(&Site) -> Facts> {
    elements(operator)
        .or_else(|| windows(operator))
        .or_else(|| others(operator))
}

/// Operators that treat each element alone.
fn elements(operator: &str) -> Option<fn(&Site) -> Facts> {
    Some(match operator {
        "Abs" | "Acos" | "Acosh" | "Asin" | "Asinh" | "Atan" | "Atanh" | "BitwiseNot" | "Ceil"
        | "Celu" | "Clip" | "Cos" | "Cosh" | "Elu" | "Erf" | "Exp" | "Floor" | "Gelu"
        | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Log" | "Mish" | "Neg" | "Not" | "PRelu"
        | "Reciprocal" | "Relu" | "Round" | "Selu" | "Shrink" | "Sigmoid" | "Sign" | "Sin"
        | "Sinh" | "Softplus" | "Softsign" | "Sqrt" | "Swish" | "Tan" | "Tanh"
        | "ThresholdedRelu" | "Trilu" | "ReverseSequence" | "Scatter" | "ScatterElements"
        | "ScatterND" | "TensorScatter" => elementwise::alike,
        "InstanceNormalization"
        | "GroupNormalization"
        | "LRN"
        | "LpNormalization"
        | "MeanVarianceNormalization"
        | "RMSNormalization"
        | "RotaryEmbedding" => elementwise::alike,
        "IsNaN" | "IsInf" => elementwise::question,
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Sum" | "Max" | "Min" | "Mean"
        | "BitShift" | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => elementwise::arithmetic,
        "And" | "Or" | "Xor" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => {
            elementwise::comparison
        }
        "Where" => elementwise::choice,
        "Cast" | "CastLike" => elementwise::cast,
        "Dropout" => elementwise::dropout,
        "Identity" => elementwise::identity,
        _ => return None,
    })
}

/// Operators on images, signals and sequences in time.
fn windows(operator: &str) -> Option<fn(&Site) -> Facts> {
    Some(match operator {
        "Conv" | "ConvInteger" | "QLinearConv" => convolution::convolution,
        "ConvTranspose" => convolution::transposed_convolution,
        "DeformConv" => convolution::deformed_convolution,
        "AveragePool" | "LpPool" | "MaxPool" => convolution::pooling,
        "GlobalAveragePool" | "GlobalLpPool" | "GlobalMaxPool" => convolution::global_pooling,
        "MaxUnpool" => convolution::unpooling,
        "Col2Im" => convolution::columns_to_image,
        "Resize" => sampling::resize,
        "GridSample" => sampling::grid_sample,
        "AffineGrid" => sampling::affine_grid,
        "MaxRoiPool" | "RoiAlign" => sampling::regions,
        "STFT" => sampling::short_time_fourier,
        "DFT" => sampling::fourier,
        "BlackmanWindow" | "HammingWindow" | "HannWindow" => sampling::signal_window,
        "MelWeightMatrix" => sampling::mel_weights,
        "RNN" | "GRU" | "LSTM" => recurrent::recurrent,
        "BatchNormalization" => normalization::batch,
        "LayerNormalization" => normalization::layer,
        "Softmax" | "LogSoftmax" | "Hardmax" => normalization::along_axis,
        "Attention" => normalization::attention,
        "QuantizeLinear" => quantization::quantize,
        "DequantizeLinear" => quantization::dequantize,
        "DynamicQuantizeLinear" => quantization::dynamic,
        "MatMul" | "MatMulInteger" | "QLinearMatMul" => products::matrices,
        "Gemm" => products::gemm,
        "Det" => products::determinant,
        "Einsum" => products::einsum,
        _ => return None,
    })
}

/// Operators that move, pick, count, join and make elements.
fn others(operator: &str) -> Option<fn(&Site) -> Facts> {
    Some(match operator {
        "Reshape" => movement::reshape,
        "Flatten" => movement::flatten,
        "Transpose" => movement::transpose,
        "Squeeze" => movement::squeeze,
        "Unsqueeze" => movement::unsqueeze,
        "Expand" => joining::expand,
        "Tile" => joining::tile,
        "Concat" => joining::concat,
        "DepthToSpace" | "SpaceToDepth" => joining::blocks,
        "Slice" => selection::slice,
        "Gather" => selection::gather,
        "GatherElements" => selection::by_indices,
        "GatherND" => selection::gather_nd,
        "Split" => selection::split,
        "Pad" => selection::pad,
        "CenterCropPad" => selection::center_crop_pad,
        "TopK" => selection::top_k,
        "NonZero" => selection::non_zero,
        "Compress" => selection::compress,
        "Unique" => selection::unique,
        "OneHot" => selection::one_hot,
        "NonMaxSuppression" => selection::chosen_boxes,
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceMax"
        | "ReduceMean" | "ReduceMin" | "ReduceProd" | "ReduceSum" | "ReduceSumSquare" => {
            reduction::reduction
        }
        "ArgMax" | "ArgMin" => reduction::arg,
        "CumSum" | "CumProd" => reduction::running,
        "NegativeLogLikelihoodLoss" | "SoftmaxCrossEntropyLoss" => reduction::loss,
        "Constant" => generation::constant,
        "ConstantOfShape" => generation::constant_of_shape,
        "Range" => generation::range,
        "EyeLike" | "RandomNormalLike" | "RandomUniformLike" | "Bernoulli" => {
            generation::like_first
        }
        "RandomNormal" | "RandomUniform" => generation::random,
        "Multinomial" => generation::multinomial,
        "Shape" => generation::shape,
        "Size" => generation::size,
        "SequenceConstruct" => sequences::construct,
        "SequenceEmpty" => sequences::empty,
        "SequenceAt" => sequences::at,
        "SequenceInsert" => sequences::insert,
        "SequenceErase" => elementwise::alike,
        "SequenceLength" => sequences::length,
        "SplitToSequence" => sequences::split,
        "ConcatFromSequence" => sequences::concat,
        "Optional" => sequences::optional,
        "OptionalGetElement" => sequences::element_of_optional,
        "OptionalHasElement" => sequences::is_there,
        _ => return None,
    })
}
