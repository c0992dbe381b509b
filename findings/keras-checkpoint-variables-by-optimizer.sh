#!/usr/bin/env bash
# Keras 3 in a TensorFlow checkpoint: beside an optimizer, a model's trainable variables are saved under the optimizer's way alone.
#
# Version   tensorflow-cpu 2.21.0, keras 3.15.1, numpy 2.2.6; Python 3.11.
# Source    keras/src/optimizers/base_optimizer.py (`_trainable_variables` is tracked), tensorflow/python/checkpoint (an object that can be
#           reached in several ways is saved under one of them, a short one).
# Guess     `tf.train.Checkpoint(model=model, optimizer=optimizer)` has the network below `model/`; what begins with `optimizer/` is the
#           optimizer's own and can be left out by who only wants the network.
# Behaviour Below `model/` are the running statistics alone. Kernels, biases, gamma and beta are `optimizer/_trainable_variables/N`; only
#           the checkpoint's graph of objects still has their full names. Without the optimizer all of them are below `model/`.
# Output    alone: six ways below model/; with-optimizer: two below model/, four optimizer/_trainable_variables/N
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.2.6
TF_CPP_MIN_LOG_LEVEL=3 "$dir/venv/bin/python" - "$dir" <<'PYTHON'
import sys

import keras
import tensorflow as tf

model = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="first"), keras.layers.BatchNormalization(name="norm")])
optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
optimizer.build(model.trainable_variables)

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def ways(name, **objects):
    path = tf.train.Checkpoint(**objects).write(f"{sys.argv[1]}/{name}")
    found = [key.removesuffix(VALUE) for key, _ in tf.train.list_variables(path) if key.endswith(VALUE)]
    print(f"{name}:", *sorted(found), sep="\n  ")
    return found


alone = ways("alone", model=model)
both = ways("with-optimizer", model=model, optimizer=optimizer)
assert not any("_trainable_variables" in way for way in alone)
assert sum(way.startswith("model/") for way in alone) == 6, "kernel, bias, gamma, beta, two running statistics"
assert sum(way.startswith("model/") for way in both) == 2, "the running statistics"
assert sum(way.startswith("optimizer/_trainable_variables/") for way in both) == 4, "kernel, bias, gamma, beta"
PYTHON
echo "as described"
