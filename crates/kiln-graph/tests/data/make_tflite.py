"""Makes the TensorFlow Lite models that tests/test_model_readers.py reads, each
with LiteRT's answers. One environment: numpy==2.4.6 ai-edge-litert==2.3.0
flatbuffers==25.12.19.

A folder holds model.tflite, and answers.bin. Most models are a row of operators on the same inputs,
each with an output of its own.
"""

from pathlib import Path

import ai_edge_litert.schema_py_generated as schema
import flatbuffers
import numpy as np
from ai_edge_litert.interpreter import Interpreter

import answers

HERE = Path(__file__).parent / "tflite"
OPS = schema.BuiltinOperator
TYPES = {
    "float32": 0,
    "float16": 1,
    "int32": 2,
    "uint8": 3,
    "int64": 4,
    "bool": 6,
    "int16": 7,
    "int8": 9,
}
# The versions of operators that have none of version 1.
VERSIONS = {"RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 3, "BROADCAST_TO": 2}
SAME, VALID = 0, 1
RELU, RELU6 = 1, 3


class Net:
    """A graph that is put together operator by operator."""

    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model.subgraphs = [self.graph]
        self.codes = {}

    def tensor(self, name, shape, dtype="float32", data=None, q=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), TYPES[dtype]
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        if q is not None:
            scales, points, *axis = q
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.atleast_1d(np.float32(scales))
            tensor.quantization.zeroPoint = np.atleast_1d(np.int64(points))
            tensor.quantization.quantizedDimension = axis[0] if axis else 0
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def input(self, name, shape, dtype="float32", q=None):
        place = self.tensor(name, shape, dtype, q=q)
        self.graph.inputs.append(place)
        return place

    def const(self, data, dtype="float32", q=None):
        data = np.asarray(data, dtype)
        return self.tensor(f"const{len(self.graph.tensors)}", data.shape, dtype, data, q)

    def op(self, code, inputs, out, shape, dtype="float32", q=None, end=True, **options):
        """One operator with one output, or several where `out` is a list."""
        outs = out if isinstance(out, list) else [out]
        shapes = shape if isinstance(out, list) else [shape]
        dtypes = dtype if isinstance(dtype, list) else [dtype] * len(outs)
        places = [self.tensor(n, s, d, q=q) for n, s, d in zip(outs, shapes, dtypes)]
        operator = schema.OperatorT()
        if code not in self.codes:
            self.codes[code] = len(self.codes)
            listed = schema.OperatorCodeT()
            listed.builtinCode = getattr(OPS, code)
            listed.deprecatedBuiltinCode = min(listed.builtinCode, 127)
            listed.version = VERSIONS.get(code, 1)
            self.model.operatorCodes.append(listed)
        operator.opcodeIndex = self.codes[code]
        operator.inputs = [
            self.const(i, "int32") if isinstance(i, (list, int)) and not isinstance(i, T) else i
            for i in inputs
        ]
        operator.outputs = places
        kind = options.pop("kind", None)
        if kind:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, kind + "T")()
            for key, value in options.items():
                assert hasattr(operator.builtinOptions, key), key
                setattr(operator.builtinOptions, key, value)
        self.graph.operators.append(operator)
        if end:
            self.graph.outputs += places
        return places if isinstance(out, list) else places[0]

    def save(self, name, inputs):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        content = bytes(builder.Output())
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.tflite").write_bytes(content)
        net = Interpreter(model_content=content, experimental_preserve_all_tensors=False)
        net.allocate_tensors()
        for detail, value in zip(net.get_input_details(), inputs):
            net.set_tensor(detail["index"], value)
        net.invoke()
        given = {d["name"]: v for d, v in zip(net.get_input_details(), inputs)}
        outs = {d["name"]: net.get_tensor(d["index"]) for d in net.get_output_details()}
        answers.write(folder, given, outs)
        print(name, len(content), len(outs))


class T(int):
    """A tensor's number, to tell it from a constant."""


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
        kind = code.title() + "Options"
        net.op(code, [x, y], code.lower(), shape, kind=kind, fusedActivationFunction=RELU6)
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
    net.op("LEAKY_RELU", [x], "leaky_relu", shape, kind="LeakyReluOptions", alpha=0.2)
    net.op("GELU", [x], "gelu", shape, kind="GeluOptions", approximate=False)
    net.op("GELU", [x], "gelu_tanh", shape, kind="GeluOptions", approximate=True)
    net.op("SOFTMAX", [x], "softmax", shape, kind="SoftmaxOptions", beta=0.7)
    net.op("LOG_SOFTMAX", [x], "log_softmax", shape)
    net.op(
        "L2_NORMALIZATION",
        [x],
        "l2_normalization",
        shape,
        kind="L2NormOptions",
        fusedActivationFunction=0,
    )
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
        net.op(code, [x, y], code.lower(), [3, 4], "int32", kind=code.title() + "Options")
    for code in "FLOOR_DIV FLOOR_MOD MAXIMUM MINIMUM".split():
        net.op(code, [x, y], code.lower(), [3, 4], "int32")
    net.op("SHAPE", [x], "shape", [2], "int32", kind="ShapeOptions", outType=2)
    net.op("RANK", [x], "rank", [], "int32")
    net.op("RANGE", [2, 11, 3], "range", [3], "int32")
    net.op("FILL", [[2, 3], 7], "fill", [2, 3], "int32")
    net.op("CAST", [x], "cast", [3, 4])
    net.op("SUM", [x, [1]], "sum", [3], "int32", kind="ReducerOptions", keepDims=False)
    values = rng.integers(-9, 9, (2, 3, 4)).astype("i4")
    values[1][values[1] == 0] = 3
    net.save("integers", list(values))


def images(rng):
    net = Net()
    x = T(net.input("image", [1, 9, 8, 4]))
    w = lambda *s: T(net.const(rng.normal(size=s)))
    conv = dict(kind="Conv2DOptions", strideW=2, strideH=2)
    net.op(
        "CONV_2D",
        [x, w(6, 3, 3, 4), w(6)],
        "conv_same",
        [1, 5, 4, 6],
        padding=SAME,
        fusedActivationFunction=RELU,
        **conv,
    )
    net.op("CONV_2D", [x, w(6, 3, 2, 4), w(6)], "conv_valid", [1, 4, 4, 6], padding=VALID, **conv)
    net.op(
        "CONV_2D",
        [x, w(6, 3, 3, 2), w(6)],
        "conv_grouped",
        [1, 9, 8, 6],
        padding=SAME,
        kind="Conv2DOptions",
        strideW=1,
        strideH=1,
    )
    net.op(
        "CONV_2D",
        [x, w(2, 3, 3, 4), w(2)],
        "conv_dilated",
        [1, 5, 4, 2],
        padding=VALID,
        kind="Conv2DOptions",
        strideW=1,
        strideH=1,
        dilationWFactor=2,
        dilationHFactor=2,
    )
    one = net.op(
        "DEPTHWISE_CONV_2D",
        [x, w(1, 3, 3, 4), w(4)],
        "depthwise",
        [1, 5, 4, 4],
        padding=SAME,
        kind="DepthwiseConv2DOptions",
        strideW=2,
        strideH=2,
        depthMultiplier=1,
        fusedActivationFunction=RELU6,
    )
    net.op(
        "DEPTHWISE_CONV_2D",
        [x, w(1, 3, 3, 8), w(8)],
        "depthwise_2",
        [1, 7, 6, 8],
        padding=VALID,
        kind="DepthwiseConv2DOptions",
        strideW=1,
        strideH=1,
        depthMultiplier=2,
    )
    net.op(
        "CONV_2D",
        [T(one), w(3, 1, 1, 4), w(3)],
        "pointwise",
        [1, 5, 4, 3],
        padding=SAME,
        kind="Conv2DOptions",
        strideW=1,
        strideH=1,
    )
    for padding, name, shape in ((SAME, "same", [1, 5, 4, 4]), (VALID, "valid", [1, 4, 3, 4])):
        for code in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            net.op(
                code,
                [x],
                f"{code.lower()}_{name}",
                shape,
                kind="Pool2DOptions",
                padding=padding,
                strideW=2,
                strideH=2,
                filterWidth=3,
                filterHeight=3,
            )
    for align, half in ((False, False), (True, False), (False, True)):
        how = dict(alignCorners=align, halfPixelCenters=half)
        name = "_aligned" * align + "_half" * half
        net.op(
            "RESIZE_BILINEAR",
            [x, [13, 5]],
            "bilinear" + name,
            [1, 13, 5, 4],
            kind="ResizeBilinearOptions",
            **how,
        )
        net.op(
            "RESIZE_NEAREST_NEIGHBOR",
            [x, [17, 5]],
            "nearest" + name,
            [1, 17, 5, 4],
            kind="ResizeNearestNeighborOptions",
            **how,
        )
    net.op(
        "TRANSPOSE_CONV",
        [[1, 18, 16, 3], w(3, 3, 3, 4), x],
        "transpose_same",
        [1, 18, 16, 3],
        kind="TransposeConvOptions",
        padding=SAME,
        strideW=2,
        strideH=2,
    )
    net.op(
        "TRANSPOSE_CONV",
        [[1, 19, 17, 3], w(3, 3, 3, 4), x, w(3)],
        "transpose_valid",
        [1, 19, 17, 3],
        kind="TransposeConvOptions",
        padding=VALID,
        strideW=2,
        strideH=2,
    )
    even = T(net.op("SLICE", [x, [0, 1, 0, 0], [-1, 8, -1, -1]], "even", [1, 8, 8, 4]))
    net.op(
        "SPACE_TO_DEPTH",
        [even],
        "space_to_depth",
        [1, 4, 4, 16],
        kind="SpaceToDepthOptions",
        blockSize=2,
    )
    net.op(
        "DEPTH_TO_SPACE",
        [x],
        "depth_to_space",
        [1, 18, 16, 1],
        kind="DepthToSpaceOptions",
        blockSize=2,
    )
    batched = T(
        net.op("SPACE_TO_BATCH_ND", [x, [3, 2], [[1, 2], [0, 2]]], "space_to_batch", [6, 4, 5, 4])
    )
    net.op("BATCH_TO_SPACE_ND", [batched, [3, 2], [[1, 2], [0, 2]]], "batch_to_space", [1, 9, 8, 4])
    net.op(
        "LOCAL_RESPONSE_NORMALIZATION",
        [x],
        "local_response",
        [1, 9, 8, 4],
        kind="LocalResponseNormalizationOptions",
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
        "MIRROR_PAD",
        [x, [[0, 0], [1, 2], [2, 1], [0, 0]]],
        "mirror_pad",
        [1, 12, 11, 4],
        kind="MirrorPadOptions",
        mode=0,
    )
    net.op("MEAN", [x, [1, 2]], "mean", [1, 4], kind="ReducerOptions", keepDims=False)
    net.save("images", [rng.normal(size=(1, 9, 8, 4)).astype("f4")])


def arranged(rng):
    net = Net()
    x = T(net.input("x", [2, 3, 4]))
    flat = T(net.op("RESHAPE", [x, [2, -1]], "reshape", [2, 12], kind="ReshapeOptions"))
    net.op("TRANSPOSE", [x, [2, 0, 1]], "transpose", [4, 2, 3])
    one = T(net.op("EXPAND_DIMS", [x, -2], "expand_dims", [2, 3, 1, 4]))
    net.op("SQUEEZE", [one], "squeeze", [2, 3, 4], kind="SqueezeOptions", squeezeDims=[2])
    net.op(
        "CONCATENATION", [x, x], "concatenation", [2, 6, 4], kind="ConcatenationOptions", axis=-2
    )
    net.op("PACK", [x, x], "pack", [2, 2, 3, 4], kind="PackOptions", axis=1, valuesCount=2)
    net.op(
        "UNPACK",
        [x],
        ["unpack0", "unpack1", "unpack2"],
        [[2, 4]] * 3,
        kind="UnpackOptions",
        axis=1,
        num=3,
    )
    net.op(
        "SPLIT", [-1, x], ["split0", "split1"], [[2, 3, 2]] * 2, kind="SplitOptions", numSplits=2
    )
    net.op(
        "SPLIT_V",
        [x, [1, -1], 2],
        ["splitv0", "splitv1"],
        [[2, 3, 1], [2, 3, 3]],
        kind="SplitVOptions",
        numSplits=2,
    )
    net.op("TILE", [x, [1, 2, 1]], "tile", [2, 6, 4])
    net.op("BROADCAST_TO", [one, [2, 3, 2, 4]], "broadcast_to", [2, 3, 2, 4])
    net.op("REVERSE_V2", [x, [1]], "reverse", [2, 3, 4])
    net.op("SLICE", [x, [0, 1, 1], [-1, 2, 2]], "slice", [2, 2, 2])
    strided = dict(kind="StridedSliceOptions")
    net.op("STRIDED_SLICE", [x, [0, 2, 1], [2, 0, 4], [1, -1, 2]], "strided", [2, 2, 2], **strided)
    net.op(
        "STRIDED_SLICE",
        [x, [0, 1, -1], [0, 0, 0], [1, 1, 1]],
        "strided_masks",
        [2],
        beginMask=1,
        endMask=1,
        shrinkAxisMask=6,
        **strided,
    )
    net.op(
        "STRIDED_SLICE",
        [x, [0, 1, 0], [0, 2, 0], [1, 1, 1]],
        "strided_ellipsis",
        [2, 3, 1, 1],
        ellipsisMask=1,
        newAxisMask=4,
        **strided,
    )
    net.op("GATHER", [x, [2, 0]], "gather", [2, 2, 4], kind="GatherOptions", axis=1)
    net.op("GATHER_ND", [x, [[1, 2], [0, 0]]], "gather_nd", [2, 4])
    net.op(
        "SCATTER_ND",
        [[[1], [3]], T(net.const(np.arange(8).reshape(2, 4))), [5, 4]],
        "scatter_nd",
        [5, 4],
    )
    net.op(
        "ONE_HOT",
        [[1, 2], 4, T(net.const(3.0)), T(net.const(-1.0))],
        "one_hot",
        [2, 4],
        kind="OneHotOptions",
        axis=-1,
    )
    net.op("TOPK_V2", [flat, 3], ["top", "top_places"], [[2, 3]] * 2, ["float32", "int32"])
    net.op("ARG_MAX", [x, 1], "arg_max", [2, 4], "int32", kind="ArgMaxOptions", outputType=2)
    net.op("ARG_MIN", [x, -1], "arg_min", [2, 3], "int64", kind="ArgMinOptions", outputType=4)
    net.op(
        "CUMSUM", [x, 1], "cumsum", [2, 3, 4], kind="CumsumOptions", exclusive=True, reverse=True
    )
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
        net.op(code, [x, axes], code.lower(), shape, kind="ReducerOptions", keepDims=keeps)
    above = T(net.op("GREATER", [x, T(net.const(0.5))], "above", [2, 3, 4], "bool"))
    net.op("REDUCE_ANY", [above, [1]], "any", [2, 4], "bool", kind="ReducerOptions", keepDims=False)
    net.op("REDUCE_ALL", [above, [1]], "all", [2, 4], "bool", kind="ReducerOptions", keepDims=False)
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


def dense(rng):
    net = Net()
    x = T(net.input("x", [2, 3, 4]))
    w = lambda *s: T(net.const(rng.normal(size=s)))
    full = dict(kind="FullyConnectedOptions")
    net.op(
        "FULLY_CONNECTED",
        [x, w(5, 12), w(5)],
        "flattened",
        [2, 5],
        fusedActivationFunction=RELU,
        **full,
    )
    net.op("FULLY_CONNECTED", [x, w(5, 4), w(5)], "kept", [2, 3, 5], keepNumDims=True, **full)
    net.op("FULLY_CONNECTED", [x, w(5, 4), T(-1)], "unbiased", [6, 5], **full)
    net.op("BATCH_MATMUL", [x, w(2, 4, 5)], "batch_matmul", [2, 3, 5], kind="BatchMatMulOptions")
    net.op(
        "BATCH_MATMUL",
        [x, w(2, 5, 4)],
        "batch_matmul_adj",
        [2, 3, 5],
        kind="BatchMatMulOptions",
        adjY=True,
    )
    half = T(net.const(rng.normal(size=(5, 12)), "float16"))
    whole = T(net.op("DEQUANTIZE", [half], "whole", [5, 12], end=False))
    net.op("FULLY_CONNECTED", [x, whole, T(-1)], "half_weights", [2, 5], **full)
    net.op("EMBEDDING_LOOKUP", [[3, 1], w(6, 4)], "embedding", [2, 4])
    net.save("dense", [rng.normal(size=(2, 3, 4)).astype("f4")])


def recurrent(rng):
    net = Net()
    x = T(net.input("x", [2, 5, 3]))
    none = T(-1)
    for name, time_major, batch in (("lstm", False, 2), ("lstm_time_first", True, 5)):
        w = [T(net.const(rng.normal(size=(4, 3)))) for _ in range(4)]
        r = [T(net.const(rng.normal(size=(4, 4)))) for _ in range(4)]
        b = [T(net.const(rng.normal(size=4))) for _ in range(4)]
        states = [T(net.tensor(f"{name}_state{i}", [batch, 4])) for i in range(2)]
        for state in states:
            net.graph.tensors[state].isVariable = True
        net.op(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [x, *w, *r, none, none, none, *b, none, none, *states],
            name,
            [2, 5, 4],
            kind="UnidirectionalSequenceLSTMOptions",
            fusedActivationFunction=4,
            timeMajor=time_major,
        )
    net.save("recurrent", [rng.normal(size=(2, 5, 3)).astype("f4")])


def quantised(rng, dtype):
    """A small network as the converter quantises it, of signed or unsigned bytes."""
    net = Net()
    low, point = (-128, 0) if dtype == "int8" else (0, 128)
    q_in, q_mid, q_out = (0.05, point), (6 / 255, low), (0.1, point + 3)
    x = T(net.input("image", [1, 8, 8, 3], dtype, q_in))

    def weights(shape, axis):
        if dtype == "int8":
            scales = rng.uniform(0.005, 0.02, shape[axis])
            data = rng.integers(-127, 128, shape)
            return T(net.const(data, "int8", (scales, np.zeros(len(scales)), axis))), scales
        return T(net.const(rng.integers(0, 256, shape), "uint8", (0.01, 120))), np.array([0.01])

    def bias(scale_in, scales, n):
        q = (scale_in * scales, np.zeros(len(scales)))
        return T(net.const(rng.integers(-500, 500, n), "int32", q))

    w, s = weights((6, 3, 3, 3), 0)
    x1 = T(
        net.op(
            "CONV_2D",
            [x, w, bias(0.05, s, 6)],
            "conv",
            [1, 4, 4, 6],
            dtype,
            q_mid,
            padding=SAME,
            kind="Conv2DOptions",
            strideW=2,
            strideH=2,
            fusedActivationFunction=RELU6,
        )
    )
    w, s = weights((1, 3, 3, 6), 3)
    x2 = T(
        net.op(
            "DEPTHWISE_CONV_2D",
            [x1, w, bias(6 / 255, s, 6)],
            "depthwise",
            [1, 4, 4, 6],
            dtype,
            q_mid,
            padding=SAME,
            kind="DepthwiseConv2DOptions",
            strideW=1,
            strideH=1,
            depthMultiplier=1,
            fusedActivationFunction=RELU6,
        )
    )
    x3 = T(net.op("ADD", [x1, x2], "add", [1, 4, 4, 6], dtype, (12 / 255, low), kind="AddOptions"))
    net.op(
        "MAX_POOL_2D",
        [x3],
        "pool",
        [1, 2, 2, 6],
        dtype,
        (12 / 255, low),
        kind="Pool2DOptions",
        padding=VALID,
        strideW=2,
        strideH=2,
        filterWidth=2,
        filterHeight=2,
    )
    net.op(
        "PAD", [x3, [[0, 0], [1, 1], [1, 1], [0, 0]]], "pad", [1, 6, 6, 6], dtype, (12 / 255, low)
    )
    x4 = T(
        net.op(
            "MEAN",
            [x3, [1, 2]],
            "mean",
            [1, 6],
            dtype,
            (12 / 255, low),
            kind="ReducerOptions",
            keepDims=False,
        )
    )
    if dtype == "int8":
        w, s = T(net.const(rng.integers(-127, 128, (5, 6)), "int8", (0.01, 0))), np.array([0.01])
    else:
        w, s = weights((5, 6), 0)
    x5 = T(
        net.op(
            "FULLY_CONNECTED",
            [x4, w, bias(12 / 255, s, 5)],
            "dense",
            [1, 5],
            dtype,
            q_out,
            kind="FullyConnectedOptions",
        )
    )
    net.op(
        "SOFTMAX", [x5], "softmax", [1, 5], dtype, (1 / 256, low), kind="SoftmaxOptions", beta=1.0
    )
    net.op("LOGISTIC", [x5], "logistic", [1, 5], dtype, (1 / 256, low))
    net.op("DEQUANTIZE", [x5], "numbers", [1, 5])
    net.op("QUANTIZE", [x5], "requantized", [1, 5], dtype, (0.2, point))
    info = np.iinfo(dtype)
    net.save(f"quantised_{dtype}", [rng.integers(info.min, info.max, (1, 8, 8, 3)).astype(dtype)])


for place, make in enumerate([elementwise, integers, images, arranged, dense, recurrent]):
    make(np.random.default_rng(place))
quantised(np.random.default_rng(10), "int8")
quantised(np.random.default_rng(11), "uint8")
