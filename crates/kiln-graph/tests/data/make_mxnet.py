"""Makes the MXNet networks that tests/test_model_readers.py reads, each with
MXNet's answers. One environment: python 3.11, mxnet==1.9.1 numpy==1.23.5.

A folder holds model-symbol.json, model-0000.params, and answers.bin. Most networks are a row of
operators on the same inputs, each with an output of its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np

import answers

HERE = Path(__file__).parent / "mxnet"
S = mx.sym
F = np.float32


def save(name, symbol, inputs, rng, scale=0.5, half=False):
    """Random parameters for what is no input; positive ones for variances."""
    shapes = {k: v.shape for k, v in inputs.items()}
    symbol = S.Group(symbol) if isinstance(symbol, list) else symbol
    args, _, auxs = symbol.infer_shape(**shapes)
    make = lambda n, s: (
        rng.uniform(0.5, 2, s) if "var" in n else rng.normal(size=s, scale=scale)
    ).astype(F)
    named = lambda names, sizes: {
        n: make(n, s) for n, s in zip(names, sizes) if n not in inputs and "label" not in n
    }
    arg = named(symbol.list_arguments(), args)
    aux = named(symbol.list_auxiliary_states(), auxs)
    if half:
        arg = {k: v.astype("f2") for k, v in arg.items()}
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    small = json.dumps(json.loads(symbol.tojson()), separators=(",", ":"))
    (folder / "model-symbol.json").write_text(small + "\n")
    stored = {f"arg:{k}": mx.nd.array(v, dtype=v.dtype) for k, v in arg.items()}
    stored |= {f"aux:{k}": mx.nd.array(v, dtype=v.dtype) for k, v in aux.items()}
    mx.nd.save(str(folder / "model-0000.params"), stored)
    as_nd = lambda d: {k: mx.nd.array(v.astype(F)) for k, v in d.items()}
    labels = {n: mx.nd.zeros(s) for n, s in zip(symbol.list_arguments(), args) if "label" in n}
    bound = symbol.bind(
        mx.cpu(), as_nd(arg) | as_nd(inputs) | labels, aux_states=as_nd(aux), grad_req="null"
    )
    outs = [out.asnumpy() for out in bound.forward(is_train=False)]
    given = {n: inputs[n] for n in symbol.list_arguments() if n in inputs}
    named_outs = {n: o.astype(F) for n, o in zip(symbol.list_outputs(), outs)}
    assert len(named_outs) == len(outs), "two outputs of one name"
    answers.write(folder, given, named_outs)
    print(name, {n: o.shape for n, o in zip(symbol.list_outputs(), outs)})


def network(rng):
    """A small residual network, as classifiers are trained."""
    x = S.Variable("data")
    y = S.Convolution(
        x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), num_filter=8, no_bias=True, name="conv0"
    )
    y = S.BatchNorm(y, fix_gamma=True, eps=2e-5, name="bn0")
    y = S.Activation(y, act_type="relu", name="relu0")
    y = S.Pooling(
        y,
        kernel=(3, 3),
        stride=(2, 2),
        pad=(1, 1),
        pool_type="max",
        pooling_convention="full",
        name="pool0",
    )
    z = S.Convolution(y, kernel=(3, 3), pad=(1, 1), num_filter=8, num_group=2, name="conv1")
    z = S.BatchNorm(z, fix_gamma=False, name="bn1")
    y = S.elemwise_add(y, z, name="add0")
    y = S.LeakyReLU(y, act_type="prelu", name="prelu0")
    y = S.Pooling(y, kernel=(2, 2), global_pool=True, pool_type="avg", name="pool1")
    y = S.FullyConnected(S.Flatten(y), num_hidden=5, name="fc")
    save(
        "network",
        S.SoftmaxOutput(y, name="softmax"),
        {"data": rng.normal(size=(2, 3, 13, 11)).astype(F)},
        rng,
    )
    y = S.FullyConnected(S.Dropout(x), num_hidden=5, name="fc")
    save(
        "half",
        S.SoftmaxOutput(y, name="softmax"),
        {"data": rng.normal(size=(2, 3, 2, 2)).astype(F)},
        rng,
        half=True,
    )


def layers(rng):
    x = S.Variable("data")
    slopes = S.Variable("slopes", shape=(4,))
    outs = [
        S.Convolution(x, kernel=(3, 2), dilate=(2, 1), num_filter=3, name="conv_dilated"),
        S.Deconvolution(
            x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), adj=(1, 1), num_filter=3, name="deconv"
        ),
        S.Deconvolution(
            x,
            kernel=(4, 4),
            stride=(2, 2),
            target_shape=(18, 8),
            num_filter=4,
            num_group=2,
            no_bias=False,
            name="deconv_target",
        ),
        S.LeakyReLU(x, act_type="leaky", slope=0.1, name="leaky"),
        S.LeakyReLU(x, act_type="elu", slope=0.3, name="elu"),
        S.LeakyReLU(x, act_type="selu", name="selu"),
        S.LeakyReLU(x, act_type="gelu", name="gelu"),
        S.LeakyReLU(x, gamma=slopes, act_type="prelu", name="prelu"),
        S.BatchNorm(x, axis=3, fix_gamma=False, name="bn_last"),
        S.LayerNorm(x, name="layer_norm"),
        S.LayerNorm(x, axis=1, name="layer_norm_1"),
        S.InstanceNorm(x, name="instance_norm"),
        S.GroupNorm(x, num_groups=2, name="group_norm"),
        S.LRN(x, nsize=3, alpha=0.1, name="lrn"),
        S.L2Normalization(x, mode="instance", name="l2_instance"),
        S.L2Normalization(x, mode="channel", name="l2_channel"),
        S.L2Normalization(x, mode="spatial", name="l2_spatial"),
        S.UpSampling(x, scale=2, sample_type="nearest", name="up"),
        S.UpSampling(x, scale=3, sample_type="bilinear", num_filter=4, name="up_bilinear"),
        S.contrib.BilinearResize2D(x, height=13, width=5, name="resize"),
        S.contrib.AdaptiveAvgPooling2D(x, output_size=(3, 2), name="adaptive"),
        S.SoftmaxActivation(x, mode="channel", name="softmax_channel"),
        S.SoftmaxOutput(x, multi_output=True, name="softmax_multi"),
        S.SoftmaxOutput(x, name="softmax_flat"),
        S.LogisticRegressionOutput(x, name="logistic"),
        S.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, 1, 2, 0, 1), name="pad_edge"),
        S.Pad(x, mode="reflect", pad_width=(0, 0, 0, 0, 1, 2, 0, 1), name="pad_reflect"),
        S.Pad(
            x,
            mode="constant",
            pad_width=(0, 0, 0, 0, 1, 2, 0, 1),
            constant_value=2,
            name="pad_constant",
        ),
        S.Crop(x, h_w=(4, 3), offset=(2, 1), num_args=1, name="crop"),
        S.Crop(x, h_w=(4, 3), center_crop=True, num_args=1, name="crop_center"),
        S.depth_to_space(x, block_size=2, name="depth_to_space"),
        S.space_to_depth(
            S.slice_axis(x, axis=2, begin=0, end=8), block_size=2, name="space_to_depth"
        ),
    ]
    for kind in ("max", "avg", "sum"):
        for convention in ("valid", "full"):
            outs.append(
                S.Pooling(
                    x,
                    kernel=(3, 2),
                    stride=(2, 3),
                    pad=(1, 0),
                    pool_type=kind,
                    pooling_convention=convention,
                    name=f"pool_{kind}_{convention}",
                )
            )
    outs.append(
        S.Pooling(
            x,
            kernel=(3, 3),
            stride=(2, 2),
            pad=(1, 1),
            pool_type="avg",
            count_include_pad=False,
            name="pool_uncounted",
        )
    )
    outs.append(S.Pooling(x, kernel=(1, 1), global_pool=True, pool_type="sum", name="pool_global"))
    save("layers", outs, {"data": rng.normal(size=(1, 4, 9, 4)).astype(F)}, rng)


def elementwise(rng):
    x, y = S.Variable("x"), S.Variable("y")
    p = S.abs(x, name="positive") + 0.5
    names = "abs arctan arcsinh ceil cos cosh erf exp expm1 fix floor negative reciprocal relu rint round sigmoid sign sin sinh softsign square tan tanh zeros_like ones_like softmax log_softmax softmin hard_sigmoid".split()
    outs = [getattr(S, name)(x, name=name) for name in names]
    outs += [getattr(S, name)(p, name=name) for name in "log log10 log1p log2 rsqrt sqrt".split()]
    outs += [
        getattr(S, f"broadcast_{name}")(x, y, name=name)
        for name in "add sub mul div maximum minimum equal not_equal greater greater_equal lesser lesser_equal".split()
    ]
    outs += [S.broadcast_power(p, y, name="power")]
    outs += [
        x + 2,
        x - 2,
        2 - x,
        x * 2,
        x / 3,
        3 / x,
        p**2,
        2**x,
        S._internal._maximum_scalar(x, scalar=0.1),
        S._internal._minimum_scalar(x, scalar=0.1),
        x > 0.1,
        x == 0.1,
        x <= 0.1,
        x != 0.1,
    ]
    outs += [
        S.clip(x, a_min=-0.5, a_max=0.7, name="clip"),
        S.Cast(x, dtype="int32", name="cast"),
        S.Cast(x, dtype="float16", name="unchanged") * 0,
    ]
    outs += [
        S.add_n(x, x, p, name="add_n"),
        S.where(x > 0, x, p, name="where"),
        S.softmax(x, axis=1, temperature=2.0, name="tempered"),
    ]
    outs += [
        S.Activation(x, act_type=kind, name=f"act_{kind}")
        for kind in ("relu", "sigmoid", "tanh", "softrelu", "softsign")
    ]
    outs += [S.contrib.div_sqrt_dim(x, name="div_sqrt_dim"), S.logical_not(x > 0, name="not")]
    save(
        "elementwise",
        outs,
        {"x": rng.normal(size=(2, 3, 4)).astype(F), "y": rng.normal(size=(1, 3, 1)).astype(F)},
        rng,
    )


def arranged(rng):
    x = S.Variable("x")
    flat = S.Reshape(x, shape=(0, -1), name="flat")
    small = S.slice_axis(x, axis=2, begin=0, end=2, name="small")
    split = S.SliceChannel(x, num_outputs=3, axis=1, squeeze_axis=True, name="split")
    outs = [
        flat,
        S.Reshape(x, shape=(-3, 0), name="merged"),
        S.Reshape(x, shape=(-1, 0), reverse=True, name="backward"),
        S.Reshape(x, shape=(0, 0, -4, 2, -1), name="split_size"),
        S.reshape_like(x, S.transpose(x), name="like"),
        S.transpose(x, axes=(1, 2, 0), name="transposed"),
        S.transpose(x, name="turned"),
        S.SwapAxis(x, dim1=0, dim2=2, name="swapped"),
        S.expand_dims(x, axis=-1, name="expanded"),
        S.squeeze(S.expand_dims(x, axis=1), axis=1, name="squeezed"),
        S.Concat(x, x, dim=2, name="joined"),
        S.stack(x, x, axis=1, name="stacked"),
        S.tile(x, reps=(2, 1, 1, 2), name="tiled"),
        S.repeat(x, repeats=2, axis=1, name="repeated"),
        S.reverse(x, axis=(0, 2), name="reversed"),
        S.broadcast_to(S.expand_dims(x, axis=1), shape=(0, 5, 0, 0), name="spread"),
        S.broadcast_axis(S.expand_dims(x, axis=1), axis=1, size=2, name="spread_axis"),
        S.slice(x, begin=(None, 2, 1), end=(None, None, 4), step=(-1, -1, 2), name="cut"),
        small,
        S.slice_like(x, small, axes=(2,), name="cut_like"),
        split[0],
        split[2],
        S.take(flat, S.zeros((2, 2)) + 1, axis=1, name="taken"),
        S.one_hot(S.argmax(x, axis=2), depth=4, on_value=2, name="hot"),
        S.argmax(x, axis=1, name="argmax"),
        S.argmin(x, axis=-1, keepdims=True, name="argmin"),
        S.topk(x, k=2, ret_typ="value", name="top"),
        S.topk(x, k=2, axis=1, is_ascend=True, name="top_places"),
        S.mean(x, axis=(0, 2), name="mean"),
        S.sum(x, axis=1, keepdims=True, name="sum"),
        S.max(x, axis=1, exclude=True, name="max"),
        S.min(x, name="min"),
        S.prod(x, axis=2, name="prod"),
        S.norm(x, axis=1, name="norm"),
        S.dot(x, S.Variable("w", shape=(4, 5)), name="dot"),
        S.dot(x, S.Variable("v", shape=(5, 4)), transpose_b=True, name="dot_b"),
        S.batch_dot(x, x, transpose_b=True, name="batch_dot"),
        S.linalg.gemm2(x, x, transpose_a=True, alpha=0.5, name="gemm2"),
        S.FullyConnected(x, num_hidden=5, flatten=False, name="fc_kept"),
        S.FullyConnected(x, num_hidden=5, no_bias=True, name="fc_flat"),
        S.Embedding(S.argmax(x, axis=2), input_dim=4, output_dim=3, name="embedding"),
        S.SequenceReverse(x, name="sequence_reverse"),
        S.SequenceLast(x, name="sequence_last"),
        S.full(shape=(2, 2), val=3) + 1,
    ]
    save("arranged", outs, {"x": rng.normal(size=(2, 3, 4)).astype(F)}, rng)


def recurrent(rng):
    x = S.Variable("x")
    outs = []
    for mode in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        for directions in (1, 2):
            name = f"{mode}_{directions}"
            more = {"state_cell": S.zeros((2 * directions, 2, 3))} if mode == "lstm" else {}
            out = S.RNN(
                x,
                state=S.ones((2 * directions, 2, 3)) * 0.3,
                mode=mode,
                state_size=3,
                num_layers=2,
                bidirectional=directions == 2,
                state_outputs=True,
                parameters=S.Variable(name + "_parameters"),
                name=name,
                **more,
            )
            outs += list(out)
    save("recurrent", outs, {"x": rng.normal(size=(5, 2, 4)).astype(F)}, rng)


MAKERS = {
    "network": network,
    "layers": layers,
    "elementwise": elementwise,
    "arranged": arranged,
    "recurrent": recurrent,
}

if len(sys.argv) == 2:
    MAKERS[sys.argv[1]](np.random.default_rng(len(sys.argv[1])))
else:
    for name in MAKERS:
        # oneDNN refuses some of the layers, and what stands in for it some of the recurrent ones.
        environment = os.environ | {"MXNET_MKLDNN_ENABLED": str(int(name != "layers"))}
        subprocess.run([sys.executable, __file__, name], env=environment, check=True)
