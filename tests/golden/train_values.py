#!/usr/bin/env python3
"""Writes the golden values of training: `python train_values.py [NAME...]`.

One safetensors file a net in `values/train/`. Weights, statistics and the batch come from generator.py with the changes of
`condition`, image i has the label (7 i + 3) mod classes, the loss is the mean softmax cross-entropy, batch norm uses the
batch's statistics.

- `logits` (N, classes) and `loss` (1) of the first forward pass;
- for every parameter P, of d loss / d P: `grad.P` in full up to 4096 elements, else `grad.P.probes` (32 elements, at
  flat index `j * 2654435761 mod count`) and `grad.P.sketch` (see generator.sketch); always `grad.P.norm`, its L2 norm;
- for every running statistic S after this one step: the same under `stat.S`;
- for every optimizer run R (metadata `runs`): `losses.R` (11): the loss on the same batch after 0, 1, ..., 10 updates;
- metadata: `input` (N,C,H,W), `image` (the generator's name for the batch), `classes`, `arch`, `reference`, `bn` (`momentum`,
  `unbiased`), `runs` (each: `name`, `optimizer` and its settings), all but the strings as JSON.

The reference runs in f64. Each net is run in f32 as well, and in f64 with noise of f32's size on every convolution; it is
refused when these stray: the stored figures must be ones that correct f32 arithmetic meets with room to spare.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from safetensors.numpy import save_file

import generate
import nets
from generator import sketch, tensor

HERE = Path(__file__).resolve().parent
CLASSES = 10
STEPS = 10
WHOLE = 4096
PROBES = 32

# How running statistics move: PyTorch's default; Keras 3 takes the biased variance; slim's arg scope says decay 0.997,
# and TensorFlow's fused kernel that it calls returns the unbiased variance.
TORCH = {"momentum": 0.1, "unbiased": True}
KERAS = {"momentum": 0.01, "unbiased": False}
SLIM = {"momentum": 0.003, "unbiased": True}

# Rates at which ten steps go down without a jump, so that f32 and f64 stay together. The decays are far stronger than
# anyone trains with: a wrong or missing one must show within ten steps.
SGD = {"name": "sgd", "optimizer": "sgd", "lr": 0.01, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
NESTEROV = {**SGD, "name": "nesterov-l2", "nesterov": True, "weight_decay": 0.1}
ADAM = {"name": "adam", "optimizer": "adam", "lr": 1e-4, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
ADAMW = {**ADAM, "name": "adamw", "optimizer": "adamw", "weight_decay": 10.0}


def cases():
    """(name, function to the module, input shape, its tensor's name, batch norm's rule, optimizer runs, reference)."""
    tv = f"torchvision {torchvision.__version__.split('+')[0]}"
    ours = "PyTorch transcription, tests/golden/nets.py"
    # Of the names "input", "1.input", ... the first whose images put no activation too near to zero (see `condition`).
    small, large = (8, 3, 32, 32), (4, 3, 64, 64)

    def runs(rate, *which):
        return [{**how, "lr": rate} if how["optimizer"] == "sgd" else how for how in which]

    return [
        ("resnet20", lambda: nets.CifarV1(20), small, "1.input", TORCH, runs(0.01, SGD, NESTEROV, ADAM, ADAMW), ours),
        ("resnet20v2", lambda: nets.CifarV2(20), small, "1.input", KERAS, runs(0.01, SGD), ours),
        (
            "resnet18", lambda: torchvision.models.resnet18(num_classes=CLASSES), large, "input", TORCH,
            runs(0.003, SGD, NESTEROV, ADAM, ADAMW), tv,
        ),
        (
            "resnet50", lambda: torchvision.models.resnet50(num_classes=CLASSES), large, "6.input", TORCH,
            runs(0.001, SGD), tv,
        ),
        ("resnet50v2-slim", lambda: nets.SlimV2(50, classes=CLASSES), large, "1.input", SLIM, runs(0.001, SGD), ours),
        # One block a stage: every layer of these nets, and small.
        ("resnext14_4x4d", resnext14, large, "input", TORCH, runs(0.001, SGD), tv),
        ("resnet14d", resnet14d, large, "input", TORCH, runs(0.001, SGD), "timm 1.0.31"),
        ("resnetv2_14", lambda: nets.PreAct([1] * 4, True, False, CLASSES), large, "2.input", TORCH, runs(0.001, SGD), ours),
        ("preact-resnet10", lambda: nets.PreAct([1] * 4, False, True, CLASSES), small, "1.input", TORCH, runs(0.001, SGD), ours),
    ]  # fmt: skip


def resnext14():
    from torchvision.models import resnet

    return resnet.ResNet(resnet.Bottleneck, [1] * 4, num_classes=CLASSES, groups=4, width_per_group=4)


def resnet14d():
    from timm.models import resnet

    return resnet.ResNet(resnet.Bottleneck, [1] * 4, num_classes=CLASSES, stem_width=32, stem_type="deep", avg_down=True)


def condition(model):
    """Changes generated parameters so that rounding cannot change a gradient by much.

    An activation within rounding of zero may fall on either side of a ReLU, and in a deep layer with few pixels one such
    flip moves whole gradients by a percent. So batch norm's outputs keep away from zero: three channels of four get a
    bias of +2.5 times the weight, the fourth -2.5 times, and few values cross. That makes the features large; the norms
    that feed the residual sum (the last norm of a pre-activation net) are scaled by 1/8, and `fc.weight` by 2.
    All are single f32 operations, as in tests/device/golden_train.rs.
    """
    state = {name: value.float() for name, value in model.state_dict().items()}
    norms = {name.removesuffix(".running_var") for name in state if name.endswith(".running_var")}

    def feeds_sum(name):
        if "norm" in norms:
            return name == "norm"
        block, _, last = name.rpartition(".")
        if block == "conv1":  # in a stem of three convolutions
            return False
        return not block or block.endswith("downsample") or f"{block}.bn{int(last[2:]) + 1}" not in norms

    for name in norms:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        away = weight * 2.5
        away[3::4] *= -1
        scale = 0.125 if feeds_sum(name) else 1.0
        state[f"{name}.bias"] = (bias + away) * scale
        state[f"{name}.weight"] = weight * scale
    state["fc.weight"] = state["fc.weight"] * 2
    model.load_state_dict(state)
    return model


def build(make, dtype, noise=0.0):
    model = condition(generate.fill(make())).to(dtype).train()

    def disturb(_module, _inputs, output):
        return output + noise * output.detach().std() * torch.randn_like(output)

    for module in model.modules():
        if noise and isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(disturb)
    return model


def loss_of(model, x, labels):
    y = model(x)
    logits = y["logits"] if isinstance(y, dict) else y
    return logits, F.cross_entropy(logits, labels)


def first_step(make, x, labels, bn, noise=0.0):
    """Logits, loss, gradients and the running statistics after one step."""
    model = build(make, x.dtype, noise)
    stats = {}

    def keep(name, module):
        def hook(_module, inputs):
            value = inputs[0].detach()
            batch = {"mean": value.mean((0, 2, 3)), "var": value.var((0, 2, 3), correction=int(bn["unbiased"]))}
            for which, new in batch.items():
                old = torch.from_numpy(tensor(f"{name}.running_{which}", tuple(new.shape))).to(new.dtype)
                stats[f"{name}.running_{which}"] = ((1 - bn["momentum"]) * old + bn["momentum"] * new).numpy()

        module.register_forward_pre_hook(hook)

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            keep(name, module)
    logits, loss = loss_of(model, x, labels)
    loss.backward()
    grads = {name: p.grad.numpy() for name, p in model.named_parameters()}
    return logits.detach().numpy(), loss.item(), grads, stats


def run(make, x, labels, how):
    """The loss after 0, 1, ..., STEPS updates."""
    model = build(make, x.dtype)
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[how["optimizer"]]
    settings = {k: v for k, v in how.items() if k not in ("name", "optimizer")}
    optimizer = kind(model.parameters(), **settings)
    losses = []
    for _ in range(STEPS + 1):
        optimizer.zero_grad()
        _, loss = loss_of(model, x, labels)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return np.array(losses)


def figures(prefix, values):
    flat = np.ascontiguousarray(values).reshape(-1)
    out = {f"{prefix}.norm": np.array([np.linalg.norm(flat)], dtype=np.float32)}
    if flat.size <= WHOLE:
        out[prefix] = flat.reshape(values.shape).astype(np.float32)
    else:
        index = np.arange(PROBES, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(flat.size)
        out[f"{prefix}.probes"] = flat[index].astype(np.float32)
        out[f"{prefix}.sketch"] = sketch(flat).astype(np.float32)
    return out


def write(name, make, shape, image, bn, runs, reference):
    labels = torch.tensor([(7 * i + 3) % CLASSES for i in range(shape[0])])
    x = torch.from_numpy(tensor(image, shape)).double()
    logits, loss, grads, stats = first_step(make, x, labels, bn)
    losses = {how["name"]: run(make, x, labels, how) for how in runs}

    total = math.sqrt(sum(np.square(g).sum() for g in grads.values()))
    # The exact gradient of a bias in front of a batch norm is zero; what rounding left of it is noise.
    grads = {k: np.zeros_like(g) if np.linalg.norm(g) < 1e-12 * total else g for k, g in grads.items()}
    strays = {}
    torch.manual_seed(0)
    for what, again in (
        ("f32", first_step(make, x.float(), labels, bn)),
        *((f"noise {i}", first_step(make, x, labels, bn, 2e-6)) for i in (1, 2, 3)),
    ):
        distance = {k: np.linalg.norm(again[2][k] - g) / (np.linalg.norm(g) or 1e-3 * total) for k, g in grads.items()}
        strays[f"{what}: gradient"] = max(distance.values())
        strays[f"{what}: loss"] = abs(again[1] / loss - 1)
        strays[f"{what}: statistic"] = max(
            np.linalg.norm(again[3][k] - s) / np.linalg.norm(s) for k, s in stats.items()
        )
    for how in runs:
        ours = run(make, x.float(), labels, how)
        strays[f"f32: {how['name']}"] = np.abs(ours / losses[how["name"]] - 1).max()
    print(f"{name}: largest logit {np.abs(logits).max():.3g}, loss {loss:.4f}, gradient norm {total:.4g}")
    for key, values in losses.items():
        print(f"  {key:12}", " ".join(f"{v:.4f}" for v in values))
    print("  strays:", ", ".join(f"{k} {v:.1e}" for k, v in strays.items()), flush=True)
    if max(strays.values()) > 2e-4:
        raise SystemExit(f"{name} is badly conditioned: {max(strays, key=strays.get)} strays by {max(strays.values()):.1e}")

    tensors = {"logits": logits.astype(np.float32), "loss": np.array([loss], dtype=np.float32)}
    for key, value in grads.items():
        tensors |= figures(f"grad.{key}", value)
    for key, value in stats.items():
        tensors |= figures(f"stat.{key}", value)
    for key, values in losses.items():
        tensors[f"losses.{key}"] = values.astype(np.float32)
    metadata = {
        "arch": name, "reference": reference, "input": json.dumps(shape), "image": image, "classes": json.dumps(CLASSES),
        "bn": json.dumps(bn), "runs": json.dumps(runs),
    }  # fmt: skip
    path = HERE / "values" / "train" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path, metadata)
    print(f"  {path.stat().st_size} bytes", flush=True)


def main():
    wanted = set(sys.argv[1:])
    known = cases()
    unknown = wanted - {case[0] for case in known}
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(case[0] for case in known)}")
    for case in known:
        if not wanted or case[0] in wanted:
            write(*case)


if __name__ == "__main__":
    main()
