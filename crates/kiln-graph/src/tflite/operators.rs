//! The schema's operators: their numbers, their names, and the translations.

use super::call::{Call, Converted};
use super::schema::Operator;
use super::{
    arrange, convolution, dense, elementwise, indexing, pooling, recurrent, reduction, slicing,
};
use crate::foreign::Reduction;

/// Translates one operator.
pub(super) type Converter = fn(&mut Call) -> Converted;

/// The number of operators that are not of the schema.
const CUSTOM: i32 = 32;

/// The operators that are translated.
const TABLE: &[(i32, &str, Converter)] = &[
    (0, "ADD", elementwise::add),
    (1, "AVERAGE_POOL_2D", pooling::average),
    (2, "CONCATENATION", arrange::concatenation),
    (3, "CONV_2D", convolution::conv_2d),
    (4, "DEPTHWISE_CONV_2D", convolution::depthwise_conv_2d),
    (5, "DEPTH_TO_SPACE", pooling::depth_to_space),
    (6, "DEQUANTIZE", elementwise::dequantize),
    (7, "EMBEDDING_LOOKUP", indexing::embedding_lookup),
    (8, "FLOOR", elementwise::floor),
    (9, "FULLY_CONNECTED", dense::fully_connected),
    (11, "L2_NORMALIZATION", elementwise::l2_normalization),
    (13, "LOCAL_RESPONSE_NORMALIZATION", pooling::local_response),
    (14, "LOGISTIC", elementwise::logistic),
    (17, "MAX_POOL_2D", pooling::max),
    (18, "MUL", elementwise::mul),
    (19, "RELU", elementwise::relu),
    (20, "RELU_N1_TO_1", elementwise::relu_n1_to_1),
    (21, "RELU6", elementwise::relu6),
    (22, "RESHAPE", arrange::reshape),
    (23, "RESIZE_BILINEAR", pooling::resize_bilinear),
    (25, "SOFTMAX", elementwise::softmax),
    (26, "SPACE_TO_DEPTH", pooling::space_to_depth),
    (28, "TANH", elementwise::tanh),
    (34, "PAD", arrange::pad),
    (36, "GATHER", indexing::gather),
    (37, "BATCH_TO_SPACE_ND", arrange::batch_to_space),
    (38, "SPACE_TO_BATCH_ND", arrange::space_to_batch),
    (39, "TRANSPOSE", arrange::transpose),
    (40, "MEAN", |call| reduction::reduce(call, Reduction::Mean)),
    (41, "SUB", elementwise::sub),
    (42, "DIV", elementwise::div),
    (43, "SQUEEZE", arrange::squeeze),
    (44, "UNIDIRECTIONAL_SEQUENCE_LSTM", recurrent::lstm),
    (45, "STRIDED_SLICE", slicing::strided_slice),
    (47, "EXP", elementwise::exp),
    (48, "TOPK_V2", indexing::top_k),
    (49, "SPLIT", arrange::split),
    (50, "LOG_SOFTMAX", elementwise::log_softmax),
    (53, "CAST", elementwise::cast),
    (54, "PRELU", elementwise::prelu),
    (55, "MAXIMUM", elementwise::maximum),
    (56, "ARG_MAX", indexing::arg_max),
    (57, "MINIMUM", elementwise::minimum),
    (58, "LESS", elementwise::less),
    (59, "NEG", elementwise::neg),
    (60, "PADV2", arrange::pad),
    (61, "GREATER", elementwise::greater),
    (62, "GREATER_EQUAL", elementwise::greater_equal),
    (63, "LESS_EQUAL", elementwise::less_equal),
    (64, "SELECT", indexing::select),
    (65, "SLICE", slicing::slice),
    (66, "SIN", elementwise::sin),
    (67, "TRANSPOSE_CONV", convolution::transpose_conv),
    (69, "TILE", arrange::tile),
    (70, "EXPAND_DIMS", arrange::expand_dims),
    (71, "EQUAL", elementwise::equal),
    (72, "NOT_EQUAL", elementwise::not_equal),
    (73, "LOG", elementwise::log),
    (74, "SUM", |call| reduction::reduce(call, Reduction::Sum)),
    (75, "SQRT", elementwise::sqrt),
    (76, "RSQRT", elementwise::rsqrt),
    (77, "SHAPE", arrange::shape),
    (78, "POW", elementwise::pow),
    (79, "ARG_MIN", indexing::arg_min),
    (81, "REDUCE_PROD", |call| {
        reduction::reduce(call, Reduction::Product)
    }),
    (82, "REDUCE_MAX", |call| {
        reduction::reduce(call, Reduction::Max)
    }),
    (83, "PACK", arrange::pack),
    (84, "LOGICAL_OR", elementwise::or),
    (85, "ONE_HOT", indexing::one_hot),
    (86, "LOGICAL_AND", elementwise::and),
    (87, "LOGICAL_NOT", elementwise::not),
    (88, "UNPACK", arrange::unpack),
    (89, "REDUCE_MIN", |call| {
        reduction::reduce(call, Reduction::Min)
    }),
    (90, "FLOOR_DIV", elementwise::floor_div),
    (91, "REDUCE_ANY", |call| {
        reduction::reduce_truths(call, Reduction::Max)
    }),
    (92, "SQUARE", elementwise::square),
    (93, "ZEROS_LIKE", elementwise::zeros_like),
    (94, "FILL", arrange::fill),
    (95, "FLOOR_MOD", elementwise::floor_mod),
    (96, "RANGE", arrange::range),
    (97, "RESIZE_NEAREST_NEIGHBOR", pooling::resize_nearest),
    (98, "LEAKY_RELU", elementwise::leaky_relu),
    (99, "SQUARED_DIFFERENCE", elementwise::squared_difference),
    (100, "MIRROR_PAD", arrange::mirror_pad),
    (101, "ABS", elementwise::abs),
    (102, "SPLIT_V", arrange::split_v),
    (104, "CEIL", elementwise::ceil),
    (105, "REVERSE_V2", arrange::reverse),
    (106, "ADD_N", elementwise::add_n),
    (107, "GATHER_ND", indexing::gather_nd),
    (108, "COS", elementwise::cos),
    (109, "WHERE", indexing::places),
    (110, "RANK", arrange::rank),
    (111, "ELU", elementwise::elu),
    (114, "QUANTIZE", elementwise::quantize),
    (116, "ROUND", elementwise::round),
    (117, "HARD_SWISH", elementwise::hard_swish),
    (122, "SCATTER_ND", indexing::scatter_nd),
    (123, "SELECT_V2", indexing::select_v2),
    (126, "BATCH_MATMUL", dense::batch_matmul),
    (128, "CUMSUM", indexing::cumsum),
    (130, "BROADCAST_TO", arrange::broadcast_to),
    (140, "REDUCE_ALL", |call| {
        reduction::reduce_truths(call, Reduction::Min)
    }),
    (150, "GELU", elementwise::gelu),
    (152, "RELU_0_TO_1", elementwise::relu_0_to_1),
    (158, "SIGN", elementwise::sign),
];

/// The names of operators that are not translated.
const OTHERS: &[(i32, &str)] = &[
    (10, "HASHTABLE_LOOKUP"),
    (12, "L2_POOL_2D"),
    (15, "LSH_PROJECTION"),
    (16, "LSTM"),
    (24, "RNN"),
    (27, "SVDF"),
    (29, "CONCAT_EMBEDDINGS"),
    (30, "SKIP_GRAM"),
    (31, "CALL"),
    (33, "EMBEDDING_LOOKUP_SPARSE"),
    (35, "UNIDIRECTIONAL_SEQUENCE_RNN"),
    (46, "BIDIRECTIONAL_SEQUENCE_RNN"),
    (51, "DELEGATE"),
    (52, "BIDIRECTIONAL_SEQUENCE_LSTM"),
    (68, "SPARSE_TO_DENSE"),
    (80, "FAKE_QUANT"),
    (103, "UNIQUE"),
    (112, "REVERSE_SEQUENCE"),
    (113, "MATRIX_DIAG"),
    (115, "MATRIX_SET_DIAG"),
    (118, "IF"),
    (119, "WHILE"),
    (120, "NON_MAX_SUPPRESSION_V4"),
    (121, "NON_MAX_SUPPRESSION_V5"),
    (124, "DENSIFY"),
    (125, "SEGMENT_SUM"),
    (129, "CALL_ONCE"),
    (131, "RFFT2D"),
    (132, "CONV_3D"),
    (133, "IMAG"),
    (134, "REAL"),
    (135, "COMPLEX_ABS"),
    (136, "HASHTABLE"),
    (137, "HASHTABLE_FIND"),
    (138, "HASHTABLE_IMPORT"),
    (139, "HASHTABLE_SIZE"),
    (141, "CONV_3D_TRANSPOSE"),
    (142, "VAR_HANDLE"),
    (143, "READ_VARIABLE"),
    (144, "ASSIGN_VARIABLE"),
    (145, "BROADCAST_ARGS"),
    (146, "RANDOM_STANDARD_NORMAL"),
    (147, "BUCKETIZE"),
    (148, "RANDOM_UNIFORM"),
    (149, "MULTINOMIAL"),
    (151, "DYNAMIC_UPDATE_SLICE"),
    (153, "UNSORTED_SEGMENT_PROD"),
    (154, "UNSORTED_SEGMENT_MAX"),
    (155, "UNSORTED_SEGMENT_SUM"),
    (156, "ATAN2"),
    (157, "UNSORTED_SEGMENT_MIN"),
    (159, "BITCAST"),
    (160, "BITWISE_XOR"),
    (161, "RIGHT_SHIFT"),
    (203, "DILATE"),
    (205, "REDUCE_WINDOW"),
];

/// The translation of an operator, if there is one.
pub(super) fn converter(operator: &Operator) -> Option<Converter> {
    let found = TABLE.iter().find(|(code, ..)| *code == operator.code);
    found.map(|(.., convert)| *convert)
}

/// The name of an operator, as TensorFlow Lite's documentation has it.
pub(super) fn name(operator: &Operator) -> String {
    if operator.code == CUSTOM {
        return operator.custom.to_owned();
    }
    let known = TABLE.iter().map(|(code, name, _)| (code, name));
    let others = OTHERS.iter().map(|(code, name)| (code, name));
    let found = known
        .chain(others)
        .find(|(code, _)| **code == operator.code);
    found.map_or_else(
        || format!("BUILTIN_{}", operator.code),
        |(_, name)| (*name).to_owned(),
    )
}
