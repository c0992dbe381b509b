#!/usr/bin/env python3
"""Writes the golden values of every net: `python generate.py [NAME...]`.

One safetensors file a case in `values/`:

- `logits` (N, classes), or the pooled features (N, C) of a net without a head;
- for every end point E (last stem layer, each stage) `E.probes`: 32 of its elements, the j-th at
  flat NCHW index `j * 2654435761 mod count`, and `E.stats`: mean and largest magnitude;
- metadata: `input` (the shape N,C,H,W as JSON), `arch` (a name ResLab knows) or `spec` (its block
  table as JSON), and `reference` (what was run).

The references run in f64, so the stored f32 is the rounded truth, not one framework's rounding.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import torch
import torchvision
from safetensors.numpy import save_file

import nets
from generator import tensor

HERE = Path(__file__).resolve().parent
PROBES = 32


def fill(model):
    """Loads generated parameters and statistics into a torch module, in f64."""
    state = model.state_dict()
    for name, value in state.items():
        if not name.endswith("num_batches_tracked"):
            state[name] = torch.from_numpy(tensor(name, tuple(value.shape))).double()
    model.double().load_state_dict(state)
    return model.eval()


def image(shape):
    return torch.from_numpy(tensor("input", shape)).double()


def run_module(model, shape):
    """A transcription from nets.py."""
    with torch.no_grad():
        return {k: v.numpy() for k, v in fill(model)(image(shape)).items()}


def run_torchvision(model, shape):
    points = {}
    for name in ("maxpool", "layer1", "layer2", "layer3", "layer4"):
        keep = lambda _m, _i, out, name=name: points.__setitem__(name, out.numpy().copy())
        getattr(model, name).register_forward_hook(keep)
    with torch.no_grad():
        points["logits"] = fill(model)(image(shape)).numpy()
    return points


def run_timm(name, shape):
    """timm's net, with our tensors under our names; `resnetv2_*` name theirs otherwise."""
    import timm

    model = timm.create_model(name).eval()
    v2 = name.startswith("resnetv2")

    def ours(key):
        if not v2:
            return key
        deep = {"conv1": "conv1.0", "norm1": "conv1.1", "conv2": "conv1.3", "norm2": "conv1.4", "conv3": "conv1.6"}
        part = key.split(".")
        if part[0] == "stem":
            return ".".join([deep.get(part[1], "conv1"), *part[2:]])
        if part[0] == "stages":
            shortcut = "1" if any(k.startswith("stem.conv1.") for k in keys) else "0"
            rest = ".".join(part[4:]).replace("downsample.conv", f"downsample.{shortcut}").replace("norm", "bn")
            return f"layer{int(part[1]) + 1}.{part[3]}.{rest}"
        return key.replace("head.fc", "fc")

    state = model.state_dict()
    keys = list(state)
    for key, value in state.items():
        if not key.endswith("num_batches_tracked"):
            found = torch.from_numpy(tensor(ours(key), tuple(value.shape)))
            if key.endswith("head.fc.weight"):  # a 1x1 convolution there, a matrix here
                found = torch.from_numpy(tensor("fc.weight", tuple(value.shape[:2]))).reshape(value.shape)
            state[key] = found.double()
    model.double().load_state_dict(state)
    points = {}
    stages = {f"layer{k}": model.stages[k - 1] if v2 else getattr(model, f"layer{k}") for k in (1, 2, 3, 4)}
    for point, module in {"maxpool": model.stem.pool if v2 else model.maxpool, **stages}.items():
        keep = lambda _m, _i, out, point=point: points.__setitem__(point, out.numpy().copy())
        module.register_forward_hook(keep)
    with torch.no_grad():
        points["logits"] = model(image(shape)).numpy()
    return points


def run_keras(depth, shape):
    """Keras Applications' ResNet*V2 with our tensors in its layers."""
    import keras

    keras.backend.set_floatx("float64")
    keras.backend.set_image_data_format("channels_last")
    _, _, h, w = shape
    build = getattr(keras.applications, f"ResNet{depth}V2")
    model = build(weights=None, classes=1000, input_shape=(h, w, 3), classifier_activation=None)

    def conv(layer, name, bias):
        kh, kw, i, o = layer.kernel.shape
        values = [tensor(f"{name}.weight", (o, i, kh, kw)).transpose(2, 3, 1, 0)]
        if bias:
            values.append(tensor(f"{name}.bias", (o,)))
        layer.set_weights(values)

    def norm(layer, name):
        roles = ("weight", "bias", "running_mean", "running_var")
        layer.set_weights([tensor(f"{name}.{r}", tuple(layer.gamma.shape)) for r in roles])

    get = model.get_layer
    conv(get("conv1_conv"), "conv1", True)
    blocks = nets.SlimV2.BLOCKS[depth]
    touched = 4  # conv1, norm, fc and the input have no unit
    for k, count in enumerate(blocks, 1):
        for i in range(count):
            theirs, ours = f"conv{k + 1}_block{i + 1}", f"layer{k}.{i}"
            norm(get(f"{theirs}_preact_bn"), f"{ours}.bn1")
            conv(get(f"{theirs}_1_conv"), f"{ours}.conv1", False)
            norm(get(f"{theirs}_1_bn"), f"{ours}.bn2")
            conv(get(f"{theirs}_2_conv"), f"{ours}.conv2", False)
            norm(get(f"{theirs}_2_bn"), f"{ours}.bn3")
            conv(get(f"{theirs}_3_conv"), f"{ours}.conv3", True)
            if i == 0:
                conv(get(f"{theirs}_0_conv"), f"{ours}.downsample.0", True)
            touched += 6 + (i == 0)
    norm(get("post_bn"), "norm")
    fc = get("predictions")
    i, o = fc.kernel.shape
    fc.set_weights([tensor("fc.weight", (o, i)).T, tensor("fc.bias", (o,))])
    assert touched == 1 + sum(bool(layer.weights) for layer in model.layers), "a Keras layer was left as it was"

    names = {"maxpool": "pool1_pool", **{f"layer{k}": f"conv{k + 1}_block{c}_out" for k, c in enumerate(blocks, 1)}}
    outputs = {ours: get(theirs).output for ours, theirs in names.items()}
    probe = keras.Model(model.input, {**outputs, "logits": model.output})
    with torch.no_grad():
        points = probe(image(shape).permute(0, 2, 3, 1), training=False)
    points = {k: v.cpu().numpy() for k, v in points.items()}
    return {k: v.transpose(0, 3, 1, 2) if v.ndim == 4 else v for k, v in points.items()}


def labml_spec(name, bottlenecks):
    stages = [
        {"blocks": 2, "channels": c, "bottleneck": b, "stride": s}
        for c, b, s in zip((16, 32), bottlenecks or (None, None), (2, 1))
    ]
    return {
        "arch": name,
        "stem": {"channels": 16, "kernel": 7, "stride": 2, "norm": True, "relu": False},
        "stages": stages,
        "bias": "always",
        "classes": None,
    }


def custom51_spec(image=32, counts=(3, 4, 6, 3), classes=51):
    stages = [
        {"blocks": n, "channels": 256 << k, "bottleneck": 64 << k, "stride": 1 if k == 0 else 2}
        for k, n in enumerate(counts)
    ]
    pool = {"kernel": 3, "stride": 2, "padding": "same"}
    return {
        "arch": "resnet50-51-classes",
        "stem": {"channels": 64, "kernel": 3, "stride": 1, "pool": pool},
        "stages": stages,
        "stride_on": "conv1x1",
        "padding": "same",
        "bias": "always",
        "bn_eps": 1e-3,
        "pool": {"average": {"kernel": 7, "stride": 1, "padding": "same", "image": image}},
        "classes": classes,
    }


def dense_spec():
    stages = [
        {"blocks": 1, "channels": 16, "bottleneck": 4, "stride": 2},
        {"blocks": 1, "channels": 32, "bottleneck": 8, "stride": 1},
    ]
    return {
        "arch": "dense-without-root",
        "stages": stages,
        "order": "pre-activation",
        "stride_unit": "last",
        "bias": "without-norm",
        "pool": "none",
        "classes": 5,
    }


def cases():
    """(file name, arch name or block table, input shape, reference, function)."""
    out = []

    def add(name, shape, reference, run, net=None):
        out.append((name, net or name.split("@")[0], shape, reference, run))

    big, odd, cifar = (2, 3, 64, 64), (1, 3, 57, 49), (2, 3, 32, 32)
    tv = f"torchvision {torchvision.__version__.split('+')[0]}"
    ours = "PyTorch transcription, tests/golden/nets.py"
    for depth in (18, 34, 50, 101, 152):
        make = getattr(torchvision.models, f"resnet{depth}")
        add(f"resnet{depth}", big, tv, lambda s, make=make: run_torchvision(make(), s))
    add("resnet50@odd", odd, tv, lambda s: run_torchvision(torchvision.models.resnet50(), s))
    for name in ("resnext50_32x4d", "wide_resnet50_2"):
        add(name, big, tv, lambda s, name=name: run_torchvision(getattr(torchvision.models, name)(), s))
    for name in ("resnet18d", "resnet26t", "resnet50d", "resnet50s", "resnetv2_50", "resnetv2_50d"):
        add(name, big, "timm 1.0.31", lambda s, name=name: run_timm(name, s))
    add("resnet18d@odd", odd, "timm 1.0.31", lambda s: run_timm("resnet18d", s))
    caffe = f"{tv}, strides moved to the first 1x1"
    add("resnet50-caffe", big, caffe, lambda s: run_torchvision(nets.caffe(torchvision.models.resnet50()), s))
    for depth in (50, 101, 152):
        add(f"resnet{depth}v2-keras", big, "Keras Applications", lambda s, d=depth: run_keras(d, s))
    add("resnet50v2-keras@odd", odd, "Keras Applications", lambda s: run_keras(50, s))
    for depth in (50, 101, 152, 200):
        add(f"resnet{depth}v2-slim", big, ours, lambda s, d=depth: run_module(nets.SlimV2(d), s))
    add("resnet50v2-slim@odd", odd, ours, lambda s: run_module(nets.SlimV2(50), s))
    for depth in (20, 32, 44, 56, 110):
        add(f"resnet{depth}", cifar, ours, lambda s, d=depth: run_module(nets.CifarV1(d), s))
    add("resnet20@odd", (1, 3, 33, 27), ours, lambda s: run_module(nets.CifarV1(20), s))
    add("resnet20-projection", cifar, ours, lambda s: run_module(nets.CifarV1(20, "b"), s))
    add("resnet20-keras", cifar, ours, lambda s: run_module(nets.CifarV1(20, "keras"), s))
    add("resnet20-keras@odd", (1, 3, 33, 27), ours, lambda s: run_module(nets.CifarV1(20, "keras"), s))
    for depth in (56, 110, 164):
        add(f"resnet{depth}v2", cifar, ours, lambda s, d=depth: run_module(nets.CifarV2(d), s))
    add("resnet1001v2", (1, 3, 16, 16), ours, lambda s: run_module(nets.CifarV2(1001), s))
    add("labml-basic", cifar, ours, lambda s: run_module(nets.LabmlBase(), s), labml_spec("labml-basic", None))
    narrow = (8, 16)
    add("labml-bottleneck", cifar, ours, lambda s: run_module(nets.LabmlBase(bottlenecks=narrow), s),
        labml_spec("labml-bottleneck", narrow))
    add("resnet50-51-classes", cifar, ours, lambda s: run_module(nets.ResNet50For51Classes(32), s), custom51_spec())
    add("resnet14-residual-block", cifar, ours, lambda s: run_module(nets.CifarV1(14, "3x3"), s))
    add("dense-without-root", (2, 3, 15, 13), ours, lambda s: run_module(nets.DenseWithoutRoot(), s), dense_spec())
    return out


def write(name, net, shape, reference, points):
    tensors = {}
    for point, value in points.items():
        assert np.isfinite(value).all(), f"{name}: {point} is not finite"
        if point == "logits":
            tensors["logits"] = value.astype(np.float32)
            continue
        flat = np.ascontiguousarray(value).reshape(-1)
        index = np.arange(PROBES, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(flat.size)
        tensors[f"{point}.probes"] = flat[index].astype(np.float32)
        tensors[f"{point}.stats"] = np.array([flat.mean(), np.abs(flat).max()], dtype=np.float32)
    metadata = {"input": json.dumps(shape), "reference": reference}
    metadata["arch" if isinstance(net, str) else "spec"] = net if isinstance(net, str) else json.dumps(net)
    path = HERE / "values" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path, metadata)
    largest = {k: float(np.abs(v).max()) for k, v in points.items()}
    print(f"{name}: {path.stat().st_size} bytes, largest", {k: f"{v:.3g}" for k, v in largest.items()}, flush=True)


def main():
    wanted = set(sys.argv[1:])
    known = cases()
    unknown = wanted - {name for name, *_ in known}
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(n for n, *_ in known)}")
    for name, net, shape, reference, run in known:
        if not wanted or name in wanted:
            write(name, net, shape, reference, run(shape))


if __name__ == "__main__":
    main()
