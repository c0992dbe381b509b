#!/usr/bin/env python3
"""Holds the transcriptions in nets.py against nets made of Keras' own layers, on generated tensors.

TensorFlow's padding, the order of layers and the epsilon then come from Keras, not from our reading of it.
"""

import generate  # first: it chooses Keras' backend

import keras
import numpy as np
import torch
from keras import layers

import nets
from generator import tensor

ROLES = {
    "bias": "bias", "gamma": "weight", "beta": "bias",
    "moving_mean": "running_mean", "moving_variance": "running_var",
}  # fmt: skip


class Net:
    """Applies Keras layers and remembers our name of each."""

    def __init__(self):
        self.named = []
        self.input = layers.Input((None, None, 3))

    def add(self, layer, name, x):
        y = layer(x)
        self.named.append((layer, name))
        return y

    def conv(self, name, x, channels, kernel, stride=1):
        return self.add(layers.Conv2D(channels, kernel, strides=stride, padding="same"), name, x)

    def norm(self, name, x, relu=True):
        x = self.add(layers.BatchNormalization(), name, x)
        return layers.ReLU()(x) if relu else x

    def finish(self, x):
        y = self.add(layers.Dense(10), "fc", layers.GlobalAveragePooling2D()(x))
        for layer, name in self.named:
            values = []
            for weight in layer.weights:
                shape = tuple(weight.shape)
                if weight.name != "kernel":
                    values.append(tensor(f"{name}.{ROLES[weight.name]}", shape))
                elif len(shape) == 4:
                    values.append(tensor(f"{name}.weight", (shape[3], shape[2], *shape[:2])).transpose(2, 3, 1, 0))
                else:
                    values.append(tensor(f"{name}.weight", shape[::-1]).T)
            layer.set_weights(values)
        return keras.Model(self.input, y)


def cifar_v1(depth):
    net = Net()
    x = net.norm("bn1", net.conv("conv1", net.input, 16, 3))
    for k in range(3):
        for i in range((depth - 2) // 6):
            name, channels, stride = f"layer{k + 1}.{i}", 16 << k, 2 if k > 0 and i == 0 else 1
            y = net.norm(f"{name}.bn1", net.conv(f"{name}.conv1", x, channels, 3, stride))
            y = net.norm(f"{name}.bn2", net.conv(f"{name}.conv2", y, channels, 3), relu=False)
            if stride != 1:
                x = net.conv(f"{name}.downsample.0", x, channels, 1, stride)
            x = layers.ReLU()(layers.add([x, y]))
    return net.finish(x)


def cifar_v2(depth):
    net = Net()
    x = net.norm("bn1", net.conv("conv1", net.input, 16, 3))
    for k, (width, channels) in enumerate(((16, 64), (64, 128), (128, 256))):
        for i in range((depth - 2) // 9):
            name, stride = f"layer{k + 1}.{i}", 2 if k > 0 and i == 0 else 1
            y = x if k == i == 0 else net.norm(f"{name}.bn1", x)
            y = net.conv(f"{name}.conv1", y, width, 1, stride)
            y = net.conv(f"{name}.conv2", net.norm(f"{name}.bn2", y), width, 3)
            y = net.conv(f"{name}.conv3", net.norm(f"{name}.bn3", y), channels, 1)
            if i == 0:
                x = net.conv(f"{name}.downsample.0", x, channels, 1, stride)
            x = layers.add([x, y])
    return net.finish(net.norm("norm", x))


def main():
    keras.backend.set_floatx("float64")
    even, odd = (2, 3, 32, 32), (1, 3, 33, 27)
    worst = 0.0

    def compare(what, ours, theirs):
        nonlocal worst
        error = np.abs(ours - theirs).max() / np.abs(theirs).max()
        worst = max(worst, error)
        print(f"{what}: {error:.1e} of the largest logit")

    for name, model, reference in (
        ("CIFAR v1 20, Keras", cifar_v1(20), nets.CifarV1(20, "keras")),
        ("CIFAR v2 56", cifar_v2(56), nets.CifarV2(56)),
        ("CIFAR v2 164", cifar_v2(164), nets.CifarV2(164)),
    ):
        for shape in (even, odd):
            with torch.no_grad():
                theirs = model(generate.image(shape).permute(0, 2, 3, 1), training=False).numpy()
            compare(f"{name}, {shape}", generate.run_module(reference, shape)["logits"], theirs)
    for depth in (50, 101):
        for shape in ((1, 3, 64, 64), (1, 3, 57, 49)):
            theirs = generate.run_keras(depth, shape)["logits"]
            ours = generate.run_module(nets.SlimV2(depth, True, 1.001e-5), shape)["logits"]
            compare(f"v2 {depth} in Keras Applications' dialect, {shape}", ours, theirs)
    if worst > 1e-5:
        raise SystemExit("the transcriptions differ from Keras")


if __name__ == "__main__":
    main()
