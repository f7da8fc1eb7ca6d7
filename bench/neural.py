"""Makes the neural networks of the benchmark and measures ONNX Runtime on them.

    python neural.py FOLDER [tiny]

FOLDER receives for each network `NAME.onnx`, `NAME.input.f32` and `NAME.answer.f32`,
in little endian. What was measured is printed as one line of JSON: milliseconds of CPU
time of one run on one thread, the least of several. Weights are random and drawn so
that activations keep their size from layer to layer: the answers mean nothing, and the
work is that of the trained networks.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Net:
    """Nodes and weights as they are added, one after the other."""

    def __init__(self, seed=7):
        self.nodes, self.weights = [], []
        self.random = np.random.default_rng(seed)

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, *shape, fan):
        return self.constant((self.random.standard_normal(shape) / np.sqrt(fan)).astype(np.float32))

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def dense(self, x, inward, outward, activation=None):
        w = self.weight(inward, outward, fan=inward / (2 if activation == "Relu" else 1))
        x = self.op("Add", self.op("MatMul", x, w), self.weight(outward, fan=100))
        return self.op(activation, x) if activation else x

    def conv(self, x, inward, outward, size, stride=1, groups=1, activation=None):
        fan = inward // groups * size * size / (2 if activation else 1)
        w = self.weight(outward, inward // groups, size, size, fan=fan)
        x = self.op("Conv", x, w, self.weight(outward, fan=100), strides=[stride] * 2,
                    pads=[size // 2] * 4, group=groups)
        if activation == "Clip":
            return self.op("Clip", x, self.constant(np.float32(0)), self.constant(np.float32(6)))
        return self.op(activation, x) if activation else x

    def model(self, inputs, result, shape):
        graph = helper.make_graph(
            self.nodes, "net",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, shape)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        return model


def mlp():
    n = Net()
    x = n.dense("x", 784, 512, "Relu")
    x = n.dense(x, 512, 512, "Relu")
    x = n.op("Softmax", n.dense(x, 512, 10), axis=-1)
    return n.model([("x", [1, 784])], x, [1, 10])


def mobilenetv2():
    n = Net()
    x, width = n.conv("x", 3, 32, 3, 2, activation="Clip"), 32
    for expand, out, times, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                       (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(times):
            step, y, hidden = (stride if i == 0 else 1), x, width * expand
            if expand > 1:
                y = n.conv(y, width, hidden, 1, activation="Clip")
            y = n.conv(y, hidden, hidden, 3, step, hidden, activation="Clip")
            y = n.conv(y, hidden, out, 1)
            x = n.op("Add", x, y) if step == 1 and width == out else y
            width = out
    x = n.conv(x, width, 1280, 1, activation="Clip")
    x = n.op("Flatten", n.op("GlobalAveragePool", x), axis=1)
    return n.model([("x", [1, 3, 224, 224])], n.dense(x, 1280, 1000), [1, 1000])


def resnet(blocks, bottleneck):
    n = Net()
    x = n.conv("x", 3, 64, 7, 2, activation="Relu")
    x, width = n.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), 64
    for stage, times in enumerate(blocks):
        inner = 64 << stage
        out = inner * (4 if bottleneck else 1)
        for i in range(times):
            step = 2 if i == 0 and stage > 0 else 1
            if bottleneck:
                y = n.conv(x, width, inner, 1, activation="Relu")
                y = n.conv(y, inner, inner, 3, step, activation="Relu")
                y = n.conv(y, inner, out, 1)
            else:
                y = n.conv(x, width, inner, 3, step, activation="Relu")
                y = n.conv(y, inner, out, 3)
            x = n.conv(x, width, out, 1, step) if step != 1 or width != out else x
            x, width = n.op("Relu", n.op("Mul", n.op("Add", x, y), n.constant(np.float32(0.7)))), out
    x = n.op("Flatten", n.op("GlobalAveragePool", x), axis=1)
    return n.model([("x", [1, 3, 224, 224])], n.dense(x, width, 1000), [1, 1000])


def encoder(layers=4, width=256, length=128, heads=4):
    n, x = Net(), "x"
    shape = n.constant(np.array([1, length, heads, width // heads], np.int64))
    whole = n.constant(np.array([1, length, width], np.int64))
    scale = n.constant(np.float32(1 / np.sqrt(width // heads)))

    def norm(y):
        return n.op("LayerNormalization", y, n.constant(np.ones(width, np.float32)),
                    n.constant(np.zeros(width, np.float32)), axis=-1)

    def split(y, order):
        return n.op("Transpose", n.op("Reshape", y, shape), perm=order)

    for _ in range(layers):
        q, k, v = (n.dense(x, width, width) for _ in range(3))
        a = n.op("MatMul", split(q, [0, 2, 1, 3]), split(k, [0, 2, 3, 1]))
        a = n.op("Softmax", n.op("Mul", a, scale), axis=-1)
        a = n.op("Transpose", n.op("MatMul", a, split(v, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        x = norm(n.op("Add", x, n.dense(n.op("Reshape", a, whole), width, width)))
        x = norm(n.op("Add", x, n.dense(n.dense(x, width, 4 * width, "Relu"), 4 * width, width)))
    return n.model([("x", [1, length, width])], x, [1, length, width])


def lstm(steps=20, inward=64, hidden=128):
    n = Net()
    y, last, _ = n.op("LSTM", "x", n.weight(1, 4 * hidden, inward, fan=inward),
                      n.weight(1, 4 * hidden, hidden, fan=hidden),
                      n.weight(1, 8 * hidden, fan=hidden), outputs=3, hidden_size=hidden)
    x = n.op("Squeeze", last, n.constant(np.array([0], np.int64)))
    return n.model([("x", [steps, 1, inward])], n.dense(x, hidden, 10), [1, 10])


NETS = {
    "mlp": mlp,
    "lstm": lstm,
    "encoder": encoder,
    "mobilenetv2": mobilenetv2,
    "resnet18": lambda: resnet([2, 2, 2, 2], False),
    "resnet50": lambda: resnet([3, 4, 6, 3], True),
}
ROUNDS = 30


def measure(folder, name):
    """The shape of a network's input and the time of a run."""
    path = folder / f"{name}.onnx"
    onnx.save(NETS[name](), path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    values = np.random.default_rng(1).standard_normal(shape).astype("<f4")
    values.tofile(folder / f"{name}.input.f32")
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        answer = session.run(None, {"x": values})[0]
        best = min(best, time.process_time() - begun)
    answer.astype("<f4").tofile(folder / f"{name}.answer.f32")
    return {"name": name, "shape": shape, "milliseconds": best * 1e3}


def main(folder, tiny):
    names = ["mlp"] if tiny else NETS
    print(json.dumps([measure(folder, name) for name in names]))


main(Path(sys.argv[1]), len(sys.argv) > 2)
