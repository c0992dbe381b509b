#!/usr/bin/env python3
"""Holds what `reslab export` writes for TensorFlow Lite against LiteRT's interpreter: `python check_deploy.py RESLAB`.

Small nets of every kind, with weights of chance, go through PyTorch (`net.py` of the hand-off, which is checked by it too), through
`reslab classify`, and as `.tflite` of 32 and 16 bits through LiteRT; all give the same probabilities. The files then come back into
ResLab with the same answers. `cargo xtask test long` runs it.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src/cli/train/handoff"))
from net import Net  # noqa: E402

RESLAB = sys.argv[1]
basic = lambda channels, stride, blocks=1: {"blocks": blocks, "channels": channels, "stride": stride}
wide = lambda channels, stride, blocks=1: {**basic(channels, stride, blocks), "bottleneck": channels // 4}
imagenet = {"channels": 8, "kernel": 7, "stride": 2, "pool": {"kernel": 3, "stride": 2}}
cifar = {"channels": 8, "kernel": 3, "stride": 1}
SPECS = {
    "v1": {"stem": imagenet, "stages": [basic(8, 1, 2), basic(16, 2)]},
    "v1-bottleneck": {"stem": imagenet, "stages": [wide(16, 1), wide(32, 2)], "stride_on": "conv1x1"},
    "resnext": {"stem": imagenet, "stages": [wide(32, 1), wide(64, 2)], "groups": 4},
    "d": {"stem": {**imagenet, "kernel": 3, "deep": [4, 6]}, "stages": [wide(16, 1), wide(32, 2)], "shortcut": "average-pool"},
    "v2-slim": {
        "stem": {"channels": 8, "kernel": 7, "stride": 2, "norm": False, "relu": False, "pool": {"kernel": 3, "stride": 2, "padding": "same"}},
        "stages": [wide(16, 2, 2), wide(32, 1)], "order": "pre-activation", "stride_unit": "last", "bias": "without-norm",
        "shortcut": "projection-without-norm",
    },
    "v2-keras": {
        "stem": {"channels": 8, "kernel": 7, "stride": 2, "norm": False, "relu": False, "pool": {"kernel": 3, "stride": 2, "zeros": True}},
        "stages": [wide(16, 2, 2), wide(32, 1)], "order": "pre-activation", "stride_unit": "last", "bias": "without-norm",
        "shortcut": "projection-without-norm",
    },
    "v2-symmetric": {
        "stem": {"channels": 8, "kernel": 7, "stride": 2, "norm": False, "relu": False, "pool": {"kernel": 3, "stride": 2}},
        "stages": [wide(16, 1), wide(32, 2)], "order": "pre-activation", "shortcut": "projection-without-norm",
    },
    "cifar": {"stem": cifar, "stages": [basic(8, 1), basic(16, 2)], "shortcut": "zero-pad"},
    "cifar-keras": {
        "stem": cifar, "stages": [basic(8, 1), basic(16, 2)], "shortcut": "projection-without-norm", "bias": "always",
        "padding": "same", "bn_eps": 1e-3,
    },
    "yes-or-no": {"stem": cifar, "stages": [basic(8, 1), basic(16, 2)], "classes": 1, "head": [12]},
}


def run(*arguments):
    done = subprocess.run([RESLAB, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def said(picture, weights, count):
    top = json.loads(run("classify", picture, "--weights", weights, "--precision", "f32", "--top", "99", "--json"))["images"][0]["top"]
    answer = np.zeros(count)
    for entry in top:
        answer[entry["class"]] = entry["probability"]
    return answer


def litert(path, pixels):
    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    (slot,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(slot["index"], pixels.astype(slot["dtype"])[None])
    interpreter.invoke()
    return interpreter.get_tensor(result["index"])[0] / (256 if result["dtype"] == np.uint8 else 1)


def check(name, spec, side, folder):
    spec = {"arch": name, "classes": 5, **spec}
    torch.manual_seed(3)
    net = Net(spec).eval()
    state = net.state_dict()
    for key, value in state.items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.dim() == 1 and value.is_floating_point():
            value.add_(torch.randn_like(value) * 0.2)
    net.load_state_dict(state)
    pixels = {
        "name": "own", "resize": {"exact": [side, side]}, "crop": [side, side], "filter": "bilinear", "channel_order": "bgr",
        "scale": 1 / 255, "mean": [0.4, 0.45, 0.5], "std": [0.25, 0.2, 0.3],
    }
    names = [f"thing {i}" for i in range(spec["classes"])]
    told = {"arch": name, "spec": json.dumps(spec), "classes": json.dumps(names), "pixels": json.dumps(pixels)}
    weights, picture = str(folder / "net.safetensors"), str(folder / "picture.png")
    save_file({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, weights, told)
    image = np.random.default_rng(5).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(image).save(picture)
    x = (image[:, :, ::-1].astype(np.float32) / 255 - np.float32(pixels["mean"])) / np.float32(pixels["std"])
    logits = net(torch.from_numpy(x.transpose(2, 0, 1).copy())[None])[0]
    if spec["classes"] == 1:
        yes = torch.sigmoid(logits).item()
        expected = np.array([yes, 1 - yes])
    else:
        expected = torch.softmax(logits, 0).detach().numpy()
    worst = [np.abs(said(picture, weights, len(expected)) - expected).max()]
    assert worst[0] < 1e-6, f"{name}: PyTorch is {worst[0]} from us"
    for half, most in (([], 1e-6), (["--half"], 1e-3)):
        path = str(folder / "net.tflite")
        run("export", "--weights", weights, "--format", "tflite", "--out", path, *half)
        labels = zipfile.ZipFile(path).read("labels.txt").decode().splitlines()
        assert labels == (names if len(names) > 1 else ["thing 0", "not thing 0"]), labels
        theirs = litert(path, image)
        worst += [np.abs(theirs - expected).max(), np.abs(said(picture, path, len(expected)) - expected).max()]
        assert max(worst[-2:]) < most, f"{name} {half}: {worst}"
    print(f"{name} at {side}: PyTorch {worst[0]:.0e}, LiteRT {worst[1]:.0e} and back {worst[2]:.0e}, 16 bits {worst[3]:.0e} and {worst[4]:.0e}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, spec in SPECS.items():
            for side in (32, 37):
                check(name, spec, side, Path(folder))
    print(f"{2 * len(SPECS)} nets")
