"""Makes the TensorFlow Lite models that tests/test_model_readers.py reads, each
with LiteRT's answers. One environment: numpy==2.4.6 ai-edge-litert==2.3.0
flatbuffers==25.12.19.

A folder holds model.tflite, and answers.bin.
"""

import numpy as np
from tflite_networks import dense, quantised, recurrent
from tflite_operators import arranged, elementwise, images, integers

for place, make in enumerate([elementwise, integers, images, arranged, dense, recurrent]):
    make(np.random.default_rng(place))
quantised(np.random.default_rng(10), "int8")
quantised(np.random.default_rng(11), "uint8")
