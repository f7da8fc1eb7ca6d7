"""Models with weights: dense, recurrent and quantised ones."""

import numpy as np
from tflite_net import RELU, RELU6, SAME, VALID, Net, T


def dense(rng):
    net = Net()
    x = T(net.input("x", [2, 3, 4]))
    w = lambda *s: T(net.const(rng.normal(size=s)))
    net.op("FULLY_CONNECTED", [x, w(5, 12), w(5)], "flattened", [2, 5], activation=RELU)
    net.op("FULLY_CONNECTED", [x, w(5, 4), w(5)], "kept", [2, 3, 5], keepNumDims=True)
    net.op("FULLY_CONNECTED", [x, w(5, 4), T(-1)], "unbiased", [6, 5])
    net.op("BATCH_MATMUL", [x, w(2, 4, 5)], "batch_matmul", [2, 3, 5])
    net.op("BATCH_MATMUL", [x, w(2, 5, 4)], "batch_matmul_adj", [2, 3, 5], adjY=True)
    half = T(net.const(rng.normal(size=(5, 12)), "float16"))
    whole = T(net.op("DEQUANTIZE", [half], "whole", [5, 12], end=False))
    net.op("FULLY_CONNECTED", [x, whole, T(-1)], "half_weights", [2, 5])
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
            activation=4,
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
            stride=2,
            activation=RELU6,
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
            stride=1,
            depthMultiplier=1,
            activation=RELU6,
        )
    )
    x3 = T(net.op("ADD", [x1, x2], "add", [1, 4, 4, 6], dtype, (12 / 255, low)))
    net.op(
        "MAX_POOL_2D",
        [x3],
        "pool",
        [1, 2, 2, 6],
        dtype,
        (12 / 255, low),
        padding=VALID,
        stride=2,
        window=2,
    )
    net.op(
        "PAD", [x3, [[0, 0], [1, 1], [1, 1], [0, 0]]], "pad", [1, 6, 6, 6], dtype, (12 / 255, low)
    )
    x4 = T(net.op("MEAN", [x3, [1, 2]], "mean", [1, 6], dtype, (12 / 255, low), keepDims=False))
    if dtype == "int8":
        w, s = T(net.const(rng.integers(-127, 128, (5, 6)), "int8", (0.01, 0))), np.array([0.01])
    else:
        w, s = weights((5, 6), 0)
    x5 = T(net.op("FULLY_CONNECTED", [x4, w, bias(12 / 255, s, 5)], "dense", [1, 5], dtype, q_out))
    net.op("SOFTMAX", [x5], "softmax", [1, 5], dtype, (1 / 256, low), beta=1.0)
    net.op("LOGISTIC", [x5], "logistic", [1, 5], dtype, (1 / 256, low))
    net.op("DEQUANTIZE", [x5], "numbers", [1, 5])
    net.op("QUANTIZE", [x5], "requantized", [1, 5], dtype, (0.2, point))
    info = np.iinfo(dtype)
    net.save(f"quantised_{dtype}", [rng.integers(info.min, info.max, (1, 8, 8, 3)).astype(dtype)])
