#!/usr/bin/env python3
"""Loads weights and checkpoints that ResLab wrote into torchvision's nets: `python check_torch.py FILE...`.

Weights load as they are, with strict=True; of a checkpoint what only a resumed run wants is left out first.
"""

import sys

import torch
import torchvision
from safetensors import safe_open


def check(path):
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}
    resumed = sum(name.startswith("resume.") for name in state)
    state = {name: value for name, value in state.items() if not name.startswith("resume.")}
    classes = state["fc.bias"].numel()
    model = getattr(torchvision.models, metadata["arch"])(num_classes=classes)
    model.load_state_dict(state)
    with torch.no_grad():
        logits = model.eval()(torch.zeros(1, 3, 64, 64))
    assert logits.isfinite().all(), f"{path}: logits that are no numbers"
    print(f"{path}: {metadata['arch']}, {classes} classes, {len(state)} tensors loaded, {resumed} of a resumed run left out")


if __name__ == "__main__":
    for path in sys.argv[1:]:
        check(path)
