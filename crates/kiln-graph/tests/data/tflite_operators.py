"""Models that are a row of operators on the same inputs, each with an output of its own."""

import numpy as np
from tflite_net import RELU, RELU6, SAME, VALID, Net, T


def elementwise(rng):
    net = Net()
    shape = [2, 3, 4]
    x, y = T(net.input("x", shape)), T(net.input("y", shape))
    for code in "ABS CEIL COS EXP FLOOR NEG ROUND SIN LOGISTIC RELU RELU6 RELU_N1_TO_1 TANH HARD_SWISH ELU SQUARE SIGN".split():
        net.op(code, [x], code.lower(), shape)
    positive = T(net.op("ABS", [x], "positive", shape))
    for code in "LOG SQRT RSQRT".split():
        net.op(code, [positive], code.lower(), shape)
    for code in "ADD SUB MUL DIV".split():
        net.op(code, [x, y], code.lower(), shape, activation=RELU6)
    for code in "MAXIMUM MINIMUM SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD".split():
        net.op(code, [x, y], code.lower(), shape)
    net.op("POW", [positive, y], "pow", shape)
    for code in "EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL".split():
        net.op(code, [x, y], code.lower(), shape, "bool")
    above = T(net.op("GREATER", [x, T(net.const(0.3))], "above", shape, "bool"))
    below = T(net.op("LESS", [x, T(net.const(0.5))], "below", shape, "bool"))
    net.op("LOGICAL_AND", [above, below], "and", shape, "bool")
    net.op("LOGICAL_OR", [above, below], "or", shape, "bool")
    net.op("LOGICAL_NOT", [above], "not", shape, "bool")
    net.op("SELECT_V2", [above, x, y], "select_v2", shape)
    net.op("SELECT", [above, x, y], "select", shape)
    net.op("PRELU", [x, T(net.const([[[0.1, 0.2, 0.3, 0.4]]]))], "prelu", shape)
    net.op("LEAKY_RELU", [x], "leaky_relu", shape, alpha=0.2)
    net.op("GELU", [x], "gelu", shape, approximate=False)
    net.op("GELU", [x], "gelu_tanh", shape, approximate=True)
    net.op("SOFTMAX", [x], "softmax", shape, beta=0.7)
    net.op("LOG_SOFTMAX", [x], "log_softmax", shape)
    net.op("L2_NORMALIZATION", [x], "l2_normalization", shape, activation=0)
    net.op("ADD_N", [x, y, positive], "add_n", shape)
    net.op("CAST", [x], "cast", shape, "int32")
    net.op("ZEROS_LIKE", [x], "zeros_like", shape)
    net.op("RELU_0_TO_1", [x], "relu_0_to_1", shape)
    net.save(
        "elementwise",
        [rng.normal(size=shape).astype("f4") * 2, rng.normal(size=shape).astype("f4")],
    )


def integers(rng):
    net = Net()
    x, y = T(net.input("x", [3, 4], "int32")), T(net.input("y", [3, 4], "int32"))
    for code in "ADD SUB MUL".split():
        net.op(code, [x, y], code.lower(), [3, 4], "int32")
    for code in "FLOOR_DIV FLOOR_MOD MAXIMUM MINIMUM".split():
        net.op(code, [x, y], code.lower(), [3, 4], "int32")
    net.op("SHAPE", [x], "shape", [2], "int32", outType=2)
    net.op("RANK", [x], "rank", [], "int32")
    net.op("RANGE", [2, 11, 3], "range", [3], "int32")
    net.op("FILL", [[2, 3], 7], "fill", [2, 3], "int32")
    net.op("CAST", [x], "cast", [3, 4])
    net.op("SUM", [x, [1]], "sum", [3], "int32", keepDims=False)
    values = rng.integers(-9, 9, (2, 3, 4)).astype("i4")
    values[1][values[1] == 0] = 3
    net.save("integers", list(values))


def images(rng):
    net = Net()
    x = T(net.input("image", [1, 9, 8, 4]))
    w = lambda *s: T(net.const(rng.normal(size=s)))
    net.op(
        "CONV_2D",
        [x, w(6, 3, 3, 4), w(6)],
        "conv_same",
        [1, 5, 4, 6],
        padding=SAME,
        activation=RELU,
        stride=2,
    )
    net.op("CONV_2D", [x, w(6, 3, 2, 4), w(6)], "conv_valid", [1, 4, 4, 6], padding=VALID, stride=2)
    net.op(
        "CONV_2D", [x, w(6, 3, 3, 2), w(6)], "conv_grouped", [1, 9, 8, 6], padding=SAME, stride=1
    )
    net.op(
        "CONV_2D",
        [x, w(2, 3, 3, 4), w(2)],
        "conv_dilated",
        [1, 5, 4, 2],
        padding=VALID,
        stride=1,
        dilation=2,
    )
    one = net.op(
        "DEPTHWISE_CONV_2D",
        [x, w(1, 3, 3, 4), w(4)],
        "depthwise",
        [1, 5, 4, 4],
        padding=SAME,
        stride=2,
        depthMultiplier=1,
        activation=RELU6,
    )
    net.op(
        "DEPTHWISE_CONV_2D",
        [x, w(1, 3, 3, 8), w(8)],
        "depthwise_2",
        [1, 7, 6, 8],
        padding=VALID,
        stride=1,
        depthMultiplier=2,
    )
    net.op(
        "CONV_2D", [T(one), w(3, 1, 1, 4), w(3)], "pointwise", [1, 5, 4, 3], padding=SAME, stride=1
    )
    for padding, name, shape in ((SAME, "same", [1, 5, 4, 4]), (VALID, "valid", [1, 4, 3, 4])):
        for code in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            net.op(code, [x], f"{code.lower()}_{name}", shape, padding=padding, stride=2, window=3)
    for align, half in ((False, False), (True, False), (False, True)):
        how = dict(alignCorners=align, halfPixelCenters=half)
        name = "_aligned" * align + "_half" * half
        net.op("RESIZE_BILINEAR", [x, [13, 5]], "bilinear" + name, [1, 13, 5, 4], **how)
        net.op("RESIZE_NEAREST_NEIGHBOR", [x, [17, 5]], "nearest" + name, [1, 17, 5, 4], **how)
    net.op(
        "TRANSPOSE_CONV",
        [[1, 18, 16, 3], w(3, 3, 3, 4), x],
        "transpose_same",
        [1, 18, 16, 3],
        padding=SAME,
        stride=2,
    )
    net.op(
        "TRANSPOSE_CONV",
        [[1, 19, 17, 3], w(3, 3, 3, 4), x, w(3)],
        "transpose_valid",
        [1, 19, 17, 3],
        padding=VALID,
        stride=2,
    )
    even = T(net.op("SLICE", [x, [0, 1, 0, 0], [-1, 8, -1, -1]], "even", [1, 8, 8, 4]))
    net.op("SPACE_TO_DEPTH", [even], "space_to_depth", [1, 4, 4, 16], blockSize=2)
    net.op("DEPTH_TO_SPACE", [x], "depth_to_space", [1, 18, 16, 1], blockSize=2)
    batched = T(
        net.op("SPACE_TO_BATCH_ND", [x, [3, 2], [[1, 2], [0, 2]]], "space_to_batch", [6, 4, 5, 4])
    )
    net.op("BATCH_TO_SPACE_ND", [batched, [3, 2], [[1, 2], [0, 2]]], "batch_to_space", [1, 9, 8, 4])
    net.op(
        "LOCAL_RESPONSE_NORMALIZATION",
        [x],
        "local_response",
        [1, 9, 8, 4],
        radius=1,
        bias=1.5,
        alpha=0.3,
        beta=0.6,
    )
    net.op("PAD", [x, [[0, 0], [1, 2], [0, 3], [0, 0]]], "pad", [1, 12, 11, 4])
    net.op(
        "PADV2", [x, [[0, 0], [1, 2], [0, 3], [0, 0]], T(net.const(1.5))], "padv2", [1, 12, 11, 4]
    )
    net.op(
        "MIRROR_PAD", [x, [[0, 0], [1, 2], [2, 1], [0, 0]]], "mirror_pad", [1, 12, 11, 4], mode=0
    )
    net.op("MEAN", [x, [1, 2]], "mean", [1, 4], keepDims=False)
    net.save("images", [rng.normal(size=(1, 9, 8, 4)).astype("f4")])


def arranged(rng):
    net = Net()
    x = T(net.input("x", [2, 3, 4]))
    flat = T(net.op("RESHAPE", [x, [2, -1]], "reshape", [2, 12]))
    net.op("TRANSPOSE", [x, [2, 0, 1]], "transpose", [4, 2, 3])
    one = T(net.op("EXPAND_DIMS", [x, -2], "expand_dims", [2, 3, 1, 4]))
    net.op("SQUEEZE", [one], "squeeze", [2, 3, 4], squeezeDims=[2])
    net.op("CONCATENATION", [x, x], "concatenation", [2, 6, 4], axis=-2)
    net.op("PACK", [x, x], "pack", [2, 2, 3, 4], axis=1, valuesCount=2)
    net.op("UNPACK", [x], ["unpack0", "unpack1", "unpack2"], [[2, 4]] * 3, axis=1, num=3)
    net.op("SPLIT", [-1, x], ["split0", "split1"], [[2, 3, 2]] * 2, numSplits=2)
    net.op("SPLIT_V", [x, [1, -1], 2], ["splitv0", "splitv1"], [[2, 3, 1], [2, 3, 3]], numSplits=2)
    net.op("TILE", [x, [1, 2, 1]], "tile", [2, 6, 4])
    net.op("BROADCAST_TO", [one, [2, 3, 2, 4]], "broadcast_to", [2, 3, 2, 4])
    net.op("REVERSE_V2", [x, [1]], "reverse", [2, 3, 4])
    net.op("SLICE", [x, [0, 1, 1], [-1, 2, 2]], "slice", [2, 2, 2])
    net.op("STRIDED_SLICE", [x, [0, 2, 1], [2, 0, 4], [1, -1, 2]], "strided", [2, 2, 2])
    net.op(
        "STRIDED_SLICE",
        [x, [0, 1, -1], [0, 0, 0], [1, 1, 1]],
        "strided_masks",
        [2],
        beginMask=1,
        endMask=1,
        shrinkAxisMask=6,
    )
    net.op(
        "STRIDED_SLICE",
        [x, [0, 1, 0], [0, 2, 0], [1, 1, 1]],
        "strided_ellipsis",
        [2, 3, 1, 1],
        ellipsisMask=1,
        newAxisMask=4,
    )
    net.op("GATHER", [x, [2, 0]], "gather", [2, 2, 4], axis=1)
    net.op("GATHER_ND", [x, [[1, 2], [0, 0]]], "gather_nd", [2, 4])
    net.op(
        "SCATTER_ND",
        [[[1], [3]], T(net.const(np.arange(8).reshape(2, 4))), [5, 4]],
        "scatter_nd",
        [5, 4],
    )
    net.op(
        "ONE_HOT", [[1, 2], 4, T(net.const(3.0)), T(net.const(-1.0))], "one_hot", [2, 4], axis=-1
    )
    net.op("TOPK_V2", [flat, 3], ["top", "top_places"], [[2, 3]] * 2, ["float32", "int32"])
    net.op("ARG_MAX", [x, 1], "arg_max", [2, 4], "int32", outputType=2)
    net.op("ARG_MIN", [x, -1], "arg_min", [2, 3], "int64", outputType=4)
    net.op("CUMSUM", [x, 1], "cumsum", [2, 3, 4], exclusive=True, reverse=True)
    for code, axes in (
        ("MEAN", [0, 2]),
        ("SUM", [-1]),
        ("REDUCE_MAX", [1]),
        ("REDUCE_MIN", [1, 2]),
        ("REDUCE_PROD", [0]),
    ):
        keeps = code in ("SUM", "REDUCE_MAX")
        shape = [
            1 if i in [a % 3 for a in axes] else s
            for i, s in enumerate([2, 3, 4])
            if keeps or i not in [a % 3 for a in axes]
        ]
        net.op(code, [x, axes], code.lower(), shape, keepDims=keeps)
    above = T(net.op("GREATER", [x, T(net.const(0.5))], "above", [2, 3, 4], "bool"))
    net.op("REDUCE_ANY", [above, [1]], "any", [2, 4], "bool", keepDims=False)
    net.op("REDUCE_ALL", [above, [1]], "all", [2, 4], "bool", keepDims=False)
    net.op(
        "SELECT",
        [T(net.const([True, False], "bool")), x, T(net.op("NEG", [x], "neg", [2, 3, 4]))],
        "select_rows",
        [2, 3, 4],
    )
    net.op(
        "WHERE", [T(net.const([[True, False], [False, True]], "bool"))], "where", [2, 2], "int64"
    )
    net.save("arranged", [rng.normal(size=(2, 3, 4)).astype("f4")])
