//! MXNet's operators, under all names that they have had, and the translations.

use super::call::{Call, Converted};
use super::symbol::{Entry, Node};
use super::{
    activation, arrange, convolution, dense, elementwise, images, indexing, normalisation, pooling,
    recurrent, reduction, reshape, slicing,
};
use crate::foreign::Reduction;

/// Translates one node.
pub(super) type Converter = fn(&mut Call) -> Converted;

/// The operators that are translated.
const TABLE: &[(&[&str], Converter)] = &[
    // Layers.
    (&["Convolution", "Convolution_v1"], convolution::convolution),
    (&["Deconvolution"], convolution::deconvolution),
    (&["FullyConnected"], dense::fully_connected),
    (&["Pooling", "Pooling_v1"], pooling::pooling),
    (
        &["_contrib_AdaptiveAvgPooling2D"],
        pooling::adaptive_average,
    ),
    (
        &["BatchNorm", "BatchNorm_v1", "_contrib_SyncBatchNorm"],
        normalisation::batch_norm,
    ),
    (&["LayerNorm"], normalisation::layer_norm),
    (&["InstanceNorm"], normalisation::instance_norm),
    (&["GroupNorm"], normalisation::group_norm),
    (&["L2Normalization"], normalisation::l2_normalization),
    (&["LRN"], normalisation::local_response),
    (&["RNN"], recurrent::rnn),
    (
        &["Embedding", "_contrib_SparseEmbedding"],
        indexing::embedding,
    ),
    (&["Activation"], activation::activation),
    (&["LeakyReLU"], activation::leaky_relu),
    (&["SoftmaxOutput", "Softmax"], activation::softmax_output),
    (&["SoftmaxActivation"], activation::softmax_activation),
    (&["LogisticRegressionOutput"], elementwise::sigmoid),
    (
        &[
            "LinearRegressionOutput",
            "MAERegressionOutput",
            "SVMOutput",
            "MakeLoss",
            "make_loss",
            "BlockGrad",
            "stop_gradient",
            "Dropout",
            "identity",
            "_copy",
            "_copyto",
            "IdentityAttachKLSparseReg",
            "_identity_with_attr_like_rhs",
        ],
        elementwise::identity,
    ),
    // Products.
    (&["dot"], dense::dot),
    (&["batch_dot"], dense::batch_dot),
    (&["_linalg_gemm2", "linalg_gemm2"], dense::gemm2),
    // Sizes and order.
    (&["Reshape", "reshape"], reshape::reshape),
    (&["reshape_like"], reshape::reshape_like),
    (&["Flatten", "flatten"], reshape::flatten),
    (&["transpose"], arrange::transpose),
    (&["SwapAxis", "swapaxes"], arrange::swap_axes),
    (&["expand_dims"], arrange::expand_dims),
    (&["squeeze"], arrange::squeeze),
    (&["Concat", "concat", "_rnn_param_concat"], arrange::concat),
    (&["stack"], arrange::stack),
    (&["tile"], arrange::tile),
    (&["repeat"], arrange::repeat),
    (&["reverse", "flip"], arrange::reverse),
    (&["broadcast_to"], arrange::broadcast_to),
    (
        &["broadcast_axis", "broadcast_axes"],
        arrange::broadcast_axis,
    ),
    (&["broadcast_like"], arrange::broadcast_like),
    (&["SequenceReverse"], arrange::sequence_reverse),
    (&["SequenceLast"], arrange::sequence_last),
    (&["SequenceMask"], arrange::sequence_mask),
    (&["_zeros", "zeros"], arrange::zeros),
    (&["_ones", "ones"], arrange::ones),
    (&["_full", "full"], arrange::full),
    (&["slice", "crop"], slicing::slice),
    (&["slice_axis"], slicing::slice_axis),
    (&["slice_like"], slicing::slice_like),
    (&["SliceChannel", "split"], slicing::split),
    (&["Crop"], slicing::crop),
    (&["Pad", "pad"], images::pad),
    (&["UpSampling"], images::upsampling),
    (&["_contrib_BilinearResize2D"], images::bilinear_resize),
    (&["depth_to_space"], images::depth_to_space),
    (&["space_to_depth"], images::space_to_depth),
    // Places.
    (&["take"], indexing::take),
    (&["one_hot"], indexing::one_hot),
    (&["argmax"], indexing::arg_max),
    (&["argmin"], indexing::arg_min),
    (&["argmax_channel"], indexing::arg_max_channel),
    (&["topk"], indexing::top_k),
    (&["where"], elementwise::choose),
    // Reductions.
    (&["mean"], |call| reduction::reduce(call, Reduction::Mean)),
    (&["sum", "sum_axis"], |call| {
        reduction::reduce(call, Reduction::Sum)
    }),
    (&["max", "max_axis"], |call| {
        reduction::reduce(call, Reduction::Max)
    }),
    (&["min", "min_axis"], |call| {
        reduction::reduce(call, Reduction::Min)
    }),
    (&["prod"], |call| {
        reduction::reduce(call, Reduction::Product)
    }),
    (&["norm"], reduction::norm),
    // Each element.
    (&["softmax"], activation::softmax),
    (&["log_softmax"], activation::log_softmax),
    (&["softmin"], activation::softmin),
    (&["hard_sigmoid"], activation::hard_sigmoid),
    (&["clip"], activation::clip),
    (&["Cast", "cast", "amp_cast"], elementwise::cast),
    (&["zeros_like"], elementwise::zeros_like),
    (&["ones_like"], elementwise::ones_like),
    (&["_contrib_div_sqrt_dim"], elementwise::div_sqrt_dim),
    (&["abs"], elementwise::abs),
    (&["arccos"], elementwise::arccos),
    (&["arccosh"], elementwise::arccosh),
    (&["arcsin"], elementwise::arcsin),
    (&["arcsinh"], elementwise::arcsinh),
    (&["arctan"], elementwise::arctan),
    (&["arctanh"], elementwise::arctanh),
    (&["ceil"], elementwise::ceil),
    (&["cos"], elementwise::cos),
    (&["cosh"], elementwise::cosh),
    (&["erf"], elementwise::erf),
    (&["exp"], elementwise::exp),
    (&["expm1"], elementwise::expm1),
    (&["fix", "trunc"], elementwise::truncate),
    (&["floor"], elementwise::floor),
    (&["log"], elementwise::log),
    (&["log10"], elementwise::log10),
    (&["log1p"], elementwise::log1p),
    (&["log2"], elementwise::log2),
    (&["logical_not"], elementwise::not),
    (&["negative", "_np_negative"], elementwise::negative),
    (&["reciprocal"], elementwise::reciprocal),
    (&["relu"], elementwise::relu),
    (&["rint"], elementwise::rint),
    (&["round"], elementwise::round),
    (&["rsqrt"], elementwise::rsqrt),
    (&["sigmoid"], elementwise::sigmoid),
    (&["sign"], elementwise::sign),
    (&["sin"], elementwise::sin),
    (&["sinh"], elementwise::sinh),
    (&["softsign"], elementwise::softsign),
    (&["sqrt"], elementwise::sqrt),
    (&["square"], elementwise::square),
    (&["tan"], elementwise::tan),
    (&["tanh"], elementwise::tanh),
    // Pairs of elements, and elements and a number.
    (
        &[
            "elemwise_add",
            "_add",
            "_plus",
            "_Plus",
            "_grad_add",
            "broadcast_add",
            "broadcast_plus",
        ],
        elementwise::add,
    ),
    (
        &[
            "elemwise_sub",
            "_sub",
            "_minus",
            "_Minus",
            "broadcast_sub",
            "broadcast_minus",
        ],
        elementwise::sub,
    ),
    (
        &["elemwise_mul", "_mul", "_Mul", "broadcast_mul"],
        elementwise::mul,
    ),
    (
        &["elemwise_div", "_div", "_Div", "broadcast_div"],
        elementwise::div,
    ),
    (&["_power", "_Power", "broadcast_power"], elementwise::power),
    (
        &["_maximum", "_Maximum", "broadcast_maximum"],
        elementwise::maximum,
    ),
    (
        &["_minimum", "_Minimum", "broadcast_minimum"],
        elementwise::minimum,
    ),
    (
        &["add_n", "ElementWiseSum", "_sum"],
        elementwise::sum_of_all,
    ),
    (&["_plus_scalar", "_PlusScalar"], elementwise::add_scalar),
    (&["_minus_scalar", "_MinusScalar"], elementwise::sub_scalar),
    (
        &["_rminus_scalar", "_RMinusScalar"],
        elementwise::rsub_scalar,
    ),
    (&["_mul_scalar", "_MulScalar"], elementwise::mul_scalar),
    (&["_div_scalar", "_DivScalar"], elementwise::div_scalar),
    (&["_rdiv_scalar", "_RDivScalar"], elementwise::rdiv_scalar),
    (
        &["_power_scalar", "_PowerScalar"],
        elementwise::power_scalar,
    ),
    (
        &["_rpower_scalar", "_RPowerScalar"],
        elementwise::rpower_scalar,
    ),
    (
        &["_maximum_scalar", "_MaximumScalar"],
        elementwise::maximum_scalar,
    ),
    (
        &["_minimum_scalar", "_MinimumScalar"],
        elementwise::minimum_scalar,
    ),
    (&["_equal", "broadcast_equal"], elementwise::equal),
    (&["_equal_scalar"], elementwise::equal_scalar),
    (
        &["_not_equal", "broadcast_not_equal"],
        elementwise::not_equal,
    ),
    (&["_not_equal_scalar"], elementwise::not_equal_scalar),
    (&["_greater", "broadcast_greater"], elementwise::greater),
    (&["_greater_scalar"], elementwise::greater_scalar),
    (
        &["_greater_equal", "broadcast_greater_equal"],
        elementwise::greater_equal,
    ),
    (
        &["_greater_equal_scalar"],
        elementwise::greater_equal_scalar,
    ),
    (&["_lesser", "broadcast_lesser"], elementwise::lesser),
    (&["_lesser_scalar"], elementwise::lesser_scalar),
    (
        &["_lesser_equal", "broadcast_lesser_equal"],
        elementwise::lesser_equal,
    ),
    (&["_lesser_equal_scalar"], elementwise::lesser_equal_scalar),
];

/// Operators that take a label beside their data, and look at it in training alone.
const LABELLED: [&str; 6] = [
    "SoftmaxOutput",
    "Softmax",
    "LinearRegressionOutput",
    "MAERegressionOutput",
    "LogisticRegressionOutput",
    "SVMOutput",
];

/// The translation of an operator, if there is one.
pub(super) fn converter(name: &str) -> Option<Converter> {
    let found = TABLE.iter().find(|(names, _)| names.contains(&name));
    found.map(|(_, convert)| *convert)
}

/// The inputs that a node's outputs depend on.
pub(super) fn looked_at(node: &Node) -> &[Entry] {
    match LABELLED.contains(&node.operator.as_str()) {
        true => &node.inputs[..node.inputs.len().min(1)],
        false => &node.inputs,
    }
}
