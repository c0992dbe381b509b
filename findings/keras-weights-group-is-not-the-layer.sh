#!/bin/sh
# Keras 3's `.weights.h5`: a group that is called like a layer can be another layer's.
#
# Version   keras 3.15.1 (backend jax 0.10.2), h5py 3.16.0, numpy 2.4.6; Python 3.11 or newer.
# Source    keras/src/saving/saving_lib.py, `_save_container_state`: a layer's group is the snake-cased class with a counter that
#           starts anew in every file, while `auto_name` numbers layers through the whole process.
# Guess     `layers/conv2d_1/vars/0` is the kernel of the layer that is called `conv2d_1`.
# Behaviour It is the kernel of the second Conv2D of the model. In a model that was not the first of its process, or whose layers
#           have names, a group and a layer of one name are different layers, often of one shape, so nothing fails. The layer's
#           own name is an attribute, `name`, of the group `vars`.
# Output    group conv2d: layer conv2d_1 / group conv2d_1: layer squeeze / group conv2d_2: layer conv2d_2
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 h5py==3.16.0 numpy==2.4.6 "jax[cpu]==0.10.2"
cd "$folder"
KERAS_BACKEND=jax venv/bin/python - <<'PY'
import h5py
import keras
import numpy as np
from keras import layers

keras.Sequential([layers.Input((4, 4, 2)), layers.Conv2D(2, 1)])  # some other model before
model = keras.Sequential(
    [layers.Input((4, 4, 2)), layers.Conv2D(2, 1), layers.Conv2D(2, 1, name="squeeze"), layers.Conv2D(2, 1)]
)
for number, layer in enumerate(model.layers):
    layer.set_weights([np.full(weight.shape, number, "float32") for weight in layer.get_weights()])
model.save_weights("m.weights.h5")

names = [layer.name for layer in model.layers]
found = {}
with h5py.File("m.weights.h5") as file:
    for group in file["layers"]:
        variables = file[f"layers/{group}/vars"]
        found[group] = (variables.attrs["name"], int(variables["0"][0, 0, 0, 0]))
        print(f"group {group}: layer {found[group][0]}, its values are those of layer number {found[group][1]}")
print("layers of the model:", names)
assert names == ["conv2d_1", "squeeze", "conv2d_2"], names
assert found == {"conv2d": ("conv2d_1", 0), "conv2d_1": ("squeeze", 1), "conv2d_2": ("conv2d_2", 2)}, found
PY
echo "as described"
