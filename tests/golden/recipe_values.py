#!/usr/bin/env python3
"""Writes what ten steps of each recipe of src/train/recipes come to: `python recipe_values.py [NAME...]`.

One safetensors file a recipe in `values/recipes/`: `losses` and `rates` of ten steps on ten batches, without augmentation, from
generated weights (generator.py, with `condition` of train_values.py). The net is small and of the recipe's own family. Losses are
those of the data alone. Keras' recipe runs in Keras (its layers, Adam and regularizers, the schedule as its example writes it); the
others in PyTorch, f64; TensorFlow's Adam, which nobody installs any more, is written from its documentation.

Batch b is the tensor `b.input`, image i of it has the class (7 i + 3 b) mod 10. A step counts as an epoch for the schedule, from
`first_epoch` on, so that the rates fall within the ten.
"""

import json
import sys
from pathlib import Path

import generate  # first: it chooses Keras' backend
import keras
import numpy as np
import torch
import torch.nn.functional as F
from keras import layers
from safetensors.numpy import save_file

import nets
from generator import tensor
from train_values import condition

HERE = Path(__file__).resolve().parent
RECIPES = HERE.parent.parent / "src" / "train" / "recipes"
CLASSES = 10
STEPS = 10


def batch(index, shape):
    x = torch.from_numpy(tensor(f"{index}.input", shape)).double()
    return x, torch.tensor([(7 * i + 3 * index) % CLASSES for i in range(shape[0])])


def factor(schedule, epoch):
    """Of the recipe's rate in this epoch, from 0; a plateau is not reached within ten steps."""
    match schedule["kind"]:
        case "constant" | "reduce_on_plateau":
            return 1.0
        case "steps":
            return ([1.0] + [s["factor"] for s in schedule["steps"] if s["epoch"] <= epoch])[-1]
        case "exponential":
            return schedule["gamma"] ** epoch
        case "both":
            return factor(schedule["first"], epoch) * factor(schedule["second"], epoch)
    raise SystemExit(f"an unknown schedule {schedule}")


class TensorFlowAdam(torch.optim.Optimizer):
    """tf.train.AdamOptimizer: lr_t = lr * sqrt(1 - b2^t) / (1 - b1^t), epsilon beside the uncorrected root."""

    def __init__(self, params, lr, betas, eps):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (b1, b2), eps = group["betas"], group["eps"]
            for p in group["params"]:
                state = self.state[p]
                t = state["t"] = state.get("t", 0) + 1
                m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * p.grad
                v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * p.grad**2
                p -= group["lr"] * (1 - b2**t) ** 0.5 / (1 - b1**t) * m / (v.sqrt() + eps)


def in_torch(recipe, make, shape, first_epoch, dtype=torch.float64):
    model = condition(generate.fill(make())).to(dtype).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = recipe["bn_momentum"]
    decay = recipe["weight_decay"]
    spared = lambda p: decay["skip_norm_and_bias"] and p.ndim < 2
    groups = [
        {"params": [p for p in model.parameters() if not spared(p)], "weight_decay": decay["value"]},
        {"params": [p for p in model.parameters() if spared(p)], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    how = recipe["optimizer"]
    if how["kind"] == "sgd":
        optimizer = torch.optim.SGD(groups, 0.1, momentum=how["momentum"], nesterov=how["nesterov"])
    elif how.get("uncorrected_eps"):
        assert decay["value"] == 0.0
        optimizer = TensorFlowAdam(model.parameters(), 0.1, (how["beta1"], how["beta2"]), how["eps"])
    else:
        optimizer = torch.optim.Adam(groups, 0.1, (how["beta1"], how["beta2"]), how["eps"])
    losses, rates = [], []
    for step in range(STEPS):
        x, labels = batch(step, shape)
        x = x.to(dtype)
        y = model(x)
        logits = y["logits"] if isinstance(y, dict) else y
        if recipe.get("loss", {}).get("kind") == "sigmoid_cross_entropy":
            loss = F.binary_cross_entropy_with_logits(logits, F.one_hot(labels, CLASSES).to(dtype))
        else:
            loss = F.cross_entropy(logits, labels)
        rate = recipe["learning_rate"] * factor(recipe["schedule"], first_epoch + step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        rates.append(rate)
    return losses, rates


def lr_schedule(epoch):
    """Keras' CIFAR-10 example, word by word."""
    lr = 1e-3
    if epoch > 180:
        lr *= 0.5e-3
    elif epoch > 160:
        lr *= 1e-3
    elif epoch > 120:
        lr *= 1e-2
    elif epoch > 80:
        lr *= 1e-1
    return lr


def in_keras(recipe, shape, first_epoch):
    """ResNet-8 of Keras' CIFAR-10 example in its own layers."""
    keras.backend.set_floatx("float64")
    named = []

    def add(layer, name, x):
        named.append((layer, name))
        return layer(x)

    def conv(name, x, channels, kernel, stride=1):
        l2 = keras.regularizers.L2(1e-4)
        return add(layers.Conv2D(channels, kernel, strides=stride, padding="same", kernel_regularizer=l2), name, x)

    def norm(name, x):
        return add(layers.BatchNormalization(), name, x)

    image = layers.Input((shape[2], shape[3], 3))
    x = layers.ReLU()(norm("bn1", conv("conv1", image, 16, 3)))
    for k in range(3):
        name, channels, stride = f"layer{k + 1}.0", 16 << k, 2 if k > 0 else 1
        y = layers.ReLU()(norm(f"{name}.bn1", conv(f"{name}.conv1", x, channels, 3, stride)))
        y = norm(f"{name}.bn2", conv(f"{name}.conv2", y, channels, 3))
        if k > 0:
            x = conv(f"{name}.downsample.0", x, channels, 1, stride)
        x = layers.ReLU()(layers.add([x, y]))
    y = add(layers.Dense(CLASSES), "fc", layers.Flatten()(layers.AveragePooling2D(8)(x)))
    model = keras.Model(image, y)

    ours = condition(generate.fill(nets.CifarV1(8, "keras"))).state_dict()
    roles = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    for layer, name in named:
        values = []
        for weight in layer.weights:
            value = ours[f"{name}.{roles.get(weight.name, 'weight' if weight.name == 'kernel' else weight.name)}"].double().numpy()
            if weight.name == "kernel":
                value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
            values.append(value)
        layer.set_weights(values)

    optimizer = keras.optimizers.Adam(lr_schedule(0))
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True), optimizer=optimizer)
    losses, rates = [], []
    for step in range(STEPS):
        x, labels = batch(step, shape)
        x, labels = x.permute(0, 2, 3, 1).numpy(), F.one_hot(labels, CLASSES).double().numpy()
        with_penalties = sum(float(p) for p in model.losses)
        rate = lr_schedule(first_epoch + step)
        assert abs(rate - recipe["learning_rate"] * factor(recipe["schedule"], first_epoch + step)) < 1e-12
        optimizer.learning_rate.assign(rate)
        losses.append(float(model.train_on_batch(x, labels)) - with_penalties)
        model.reset_metrics() if hasattr(model, "reset_metrics") else None
        rates.append(rate)
    return losses, rates


def cases():
    """(recipe, block table or name, shape of a batch, first epoch, factor on the rate: it is meant for larger batches, function)."""
    from torchvision.models import resnet

    plain = {"blocks": 1, "stride": 2}
    basic = [{**plain, "channels": 64 << k, "stride": 1 if k == 0 else 2} for k in range(4)]
    stem = {"channels": 64, "kernel": 7, "stride": 2, "pool": {"kernel": 3, "stride": 2}}
    torchvision10 = {"arch": "resnet10", "stem": stem, "stages": basic, "classes": CLASSES}
    bottlenecks = [
        {"blocks": 1, "channels": 256 << k, "bottleneck": 64 << k, "stride": 2 if k < 3 else 1} for k in range(4)
    ]
    slim14 = {
        "arch": "resnet14v2-slim",
        "stem": {**stem, "norm": False, "relu": False, "pool": {"kernel": 3, "stride": 2, "padding": "same"}},
        "stages": bottlenecks,
        "order": "pre-activation",
        "shortcut": "projection-without-norm",
        "stride_unit": "last",
        "bias": "without-norm",
        "classes": CLASSES,
    }
    labml = "labml:1,1-8,16-k3"

    class Labml(nets.LabmlBase):
        def __init__(self):
            super().__init__((1, 1), (8, 16), None, 3)
            self.fc = torch.nn.Linear(16, CLASSES)

        def forward(self, x):
            return self.fc(super().forward(x)["logits"])

    small, large = (8, 3, 32, 32), (4, 3, 64, 64)
    tiny51 = generate.custom51_spec(32, (1, 1), CLASSES)
    return [
        ("keras-cifar", "resnet8-keras", small, 76, 1.0, in_keras),
        ("slim", slim14, large, 0, 1 / 8, lambda *a: in_torch(a[0], lambda: nets.SlimV2(14, classes=CLASSES), *a[1:])),
        ("labml", labml, small, 0, 1.0, lambda *a: in_torch(a[0], Labml, *a[1:])),
        ("tf51", tiny51, small, 0, 1.0, lambda *a: in_torch(a[0], lambda: nets.ResNet50For51Classes(32, (1, 1), CLASSES), *a[1:])),
        (
            "torchvision", torchvision10, large, 25, 1 / 64,
            lambda *a: in_torch(a[0], lambda: resnet.ResNet(resnet.BasicBlock, [1] * 4, num_classes=CLASSES), *a[1:]),
        ),
    ]  # fmt: skip


def main():
    wanted = set(sys.argv[1:])
    for name, net, shape, first_epoch, scale, run in cases():
        if wanted and name not in wanted:
            continue
        recipe = json.loads((RECIPES / f"{name}.json").read_text())
        recipe["learning_rate"] *= scale
        losses, rates = run(recipe, shape, first_epoch)
        if run is not in_keras:
            single, _ = run(recipe, shape, first_epoch, torch.float32)
            stray = max(abs(a / b - 1) for a, b in zip(single, losses))
            if stray > 2e-4:
                raise SystemExit(f"{name} is badly conditioned: f32 strays by {stray:.1e}")
        print(f"{name:12}", " ".join(f"{loss:.4f}" for loss in losses), flush=True)
        metadata = {"input": json.dumps(shape), "classes": json.dumps(CLASSES), "first_epoch": json.dumps(first_epoch),
            "rate_scale": json.dumps(scale)}  # fmt: skip
        metadata["arch" if isinstance(net, str) else "spec"] = net if isinstance(net, str) else json.dumps(net)
        path = HERE / "values" / "recipes" / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file({"losses": np.array(losses, np.float32), "rates": np.array(rates, np.float64)}, path, metadata)


if __name__ == "__main__":
    main()
