"""A TensorFlow Lite model that is put together operator by operator, and LiteRT's
answers to it.
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
# The tables of options, of operators that always have one: most are called as they are.
REGULAR = """
ADD ARG_MAX ARG_MIN CONCATENATION CONV_2D CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DIV
FULLY_CONNECTED GATHER GELU LEAKY_RELU LOCAL_RESPONSE_NORMALIZATION MIRROR_PAD MUL ONE_HOT
PACK RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SHAPE SOFTMAX SPACE_TO_DEPTH SPLIT
SPLIT_V SQUEEZE STRIDED_SLICE SUB TRANSPOSE_CONV UNPACK
"""
OPTIONS = {code: code.title().replace("_", "") for code in REGULAR.split()}
OPTIONS |= dict.fromkeys(
    ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"],
    "Reducer",
)
OPTIONS |= dict.fromkeys(["AVERAGE_POOL_2D", "MAX_POOL_2D"], "Pool2D")
OPTIONS |= {
    "BATCH_MATMUL": "BatchMatMul",
    "L2_NORMALIZATION": "L2Norm",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}
# Options of two names that have the same value, or that are too long to read.
SHORT = {
    "stride": ("strideW", "strideH"),
    "window": ("filterWidth", "filterHeight"),
    "dilation": ("dilationWFactor", "dilationHFactor"),
    "activation": ("fusedActivationFunction",),
}
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
        if code in OPTIONS:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{OPTIONS[code]}Options")
            operator.builtinOptions = getattr(schema, f"{OPTIONS[code]}OptionsT")()
        for option, value in options.items():
            for key in SHORT.get(option, (option,)):
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
