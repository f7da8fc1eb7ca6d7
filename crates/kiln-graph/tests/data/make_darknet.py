"""Makes the Darknet networks that tests/test_model_readers.py reads, each with
OpenCV's answers. One environment: numpy==2.4.6 opencv-python-headless==4.14.0.94.

A folder holds model.cfg, model.weights, and answers.bin.
"""

from pathlib import Path

import cv2
import numpy as np

import answers

HERE = Path(__file__).parent / "darknet"

EVERYTHING = """
[net]
width=16
height=16
channels=3

[convolutional]  # 0
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky

[maxpool]  # 1
size=2
stride=2

[convolutional]  # 2
filters=8
size=1
activation=mish

[shortcut]  # 3
from=-2
activation=linear

[convolutional]  # 4
filters=8
groups=4
size=3
pad=1
activation=swish

[route]  # 5
layers=-1
groups=2
group_id=1

[route]  # 6
layers=-1,2

[maxpool]  # 7
size=3
stride=1

[reorg]  # 8
stride=2

[convolutional]  # 9
batch_normalize=1
filters=14
size=1
stride=1
pad=1
activation=linear

[yolo]  # 10
mask=1,2
anchors=1,2, 3,4, 5,6
classes=2
num=3

[route]  # 11
layers=-2

[convolutional]  # 12
filters=6
size=1
activation=relu

[dropout]  # 13
probability=.5

[upsample]  # 14
stride=2

[route]  # 15
layers=-1,4

[convolutional]  # 16
filters=7
size=1
activation=linear

[yolo]  # 17
mask=0
anchors=1,2, 3,4, 5,6
classes=2
num=3
"""

CLASSIFIER = """
[net]
width=12
height=10
channels=1

[convolutional]
filters=4
size=5
stride=2
padding=1
activation=logistic

[convolutional]
filters=6
size=3
stride=1
pad=1
activation=tanh

[maxpool]
size=2
stride=1

[connected]
output=9
activation=relu

[connected]
output=5
activation=linear

[softmax]
groups=1
"""

AVERAGED = """
[net]
width=9
height=9
channels=2

[convolutional]
batch_normalize=1
filters=5
size=3
stride=2
pad=1
activation=leaky

[avgpool]

[softmax]
"""

REGION = """
[net]
width=8
height=8
channels=3

[convolutional]
filters=14
size=3
stride=2
pad=1
activation=linear

[region]
anchors=1,2, 3,4
classes=2
coords=4
num=2
softmax=1
"""

NETWORKS = {
    "everything": EVERYTHING,
    "classifier": CLASSIFIER,
    "averaged": AVERAGED,
    "region": REGION,
}


def weights(name, rng):
    """For each layer its biases, then scales, means and variances, then the rest."""
    small = lambda n: rng.normal(size=n, scale=0.5)
    normed = lambda n: [small(n), rng.uniform(0.5, 1.5, n), small(n), rng.uniform(0.5, 2, n)]
    parts = {
        "everything": normed(8)
        + [small(8 * 27)]
        + [small(8), small(8 * 8)]
        + [small(8), small(8 * 2 * 9)]
        + normed(14)
        + [small(14 * 48) * 0.2]
        + [small(6), small(6 * 14)]
        + [small(7), small(7 * 14)],
        "classifier": [small(4), small(25 * 4)]
        + [small(6), small(6 * 4 * 9)]
        + [small(9), small(9 * 6 * 4 * 5)]
        + [small(5), small(5 * 9)],
        "averaged": normed(5) + [small(5 * 2 * 9)],
        "region": [small(14), small(14 * 27)],
    }[name]
    numbers = np.concatenate(parts).astype("<f4")
    return np.array([0, 2, 0], "<i4").tobytes() + np.array([7], "<u8").tobytes() + numbers.tobytes()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def yolo(x, boxes):
    """What Neo gives for a yolo layer: no boxes, but the logistic function applied."""
    n, c, h, w = x.shape
    x = x.reshape(n, boxes, c // boxes, h, w).copy()
    x[:, :, :2] = sigmoid(x[:, :, :2])
    x[:, :, 4:] = sigmoid(x[:, :, 4:])
    return x.reshape(n, c, h, w)


def region(x, boxes):
    n, c, h, w = x.shape
    x = x.reshape(n, boxes, c // boxes, h, w).copy()
    x[:, :, :2] = sigmoid(x[:, :, :2])
    x[:, :, 4] = sigmoid(x[:, :, 4])
    e = np.exp(x[:, :, 5:])
    x[:, :, 5:] = e / e.sum(axis=2, keepdims=True)
    return x.reshape(n, c, h, w)


def outputs(name, net, image):
    net.setInput(image)
    if name == "everything":
        coarse, fine = net.forward(["bn_9", "conv_16"])
        anchors = np.arange(1, 7, dtype="<f4")
        coarse, fine = yolo(coarse, 2), yolo(fine, 1)
        return {
            "output": fine,
            "mask17": np.int32([0]),
            "bias17": anchors,
            "attr17": np.int32([1, 7, 8, 8, 2, 3]),
            "output10": coarse,
            "mask10": np.int32([1, 2]),
            "bias10": anchors,
            "attr10": np.int32([2, 14, 4, 4, 2, 3]),
        }
    if name == "region":
        out = region(net.forward("conv_0"), 2)
        return {
            "output": out,
            "bias1": np.arange(1, 5, dtype="<f4"),
            "attr1": np.int32([2, 14, 4, 4, 2, 4, 0]),
        }
    out = net.forward()
    return {"output": out.reshape(out.shape[0], -1)}


for place, (name, cfg) in enumerate(NETWORKS.items()):
    rng = np.random.default_rng(place)
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.cfg").write_text(cfg.lstrip())
    (folder / "model.weights").write_bytes(weights(name, rng))
    net = cv2.dnn.readNetFromDarknet(str(folder / "model.cfg"), str(folder / "model.weights"))
    net.enableFusion(False)  # or what lies between is not what its layer gives
    net.enableWinograd(False)
    sizes = [
        int(line.split("=")[1])
        for line in cfg.split()
        if line.startswith(("width=", "height=", "channels="))
    ]
    width, height, channels = sizes
    image = rng.normal(size=(1, channels, height, width)).astype(np.float32)
    outs = outputs(name, net, image)
    answers.write(folder, {"data": image}, outs)
    print(name, {k: v.shape for k, v in outs.items()})
