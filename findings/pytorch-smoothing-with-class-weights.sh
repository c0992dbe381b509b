#!/usr/bin/env bash
# PyTorch 2.15.0 (PyPI): cross_entropy(weight=w, label_smoothing=e) is not the weighted mean of the smoothed losses. A smoothed target
# gives every class a share; PyTorch weighs each of these shares by its own class's weight, and divides by the sum of the weights
# of the true classes alone. One would expect each picture's loss to be multiplied by its class's weight, which gives another value,
# and another gradient: with rare classes weighted up, smoothing pulls every picture towards them.
#
# Seen (four rows, three classes, w = 1 5 1, e = 0.1):
#   PyTorch                          1.674495
#   each share by its class's weight 1.674495
#   each picture by its class's      1.648442
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet install torch==2.15.0 numpy==2.3.5
"$work/venv/bin/python" - <<'PY'
import torch
import torch.nn.functional as F

torch.manual_seed(0)
logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
weights, smoothing = torch.tensor([1.0, 5.0, 1.0]), 0.1
torchs = F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing).item()

log = F.log_softmax(logits, 1)
target = F.one_hot(labels, 3) * (1 - smoothing) + smoothing / 3
total = weights[labels].sum()
by_share = (-(target * log * weights).sum() / total).item()
by_picture = (-(weights[labels] * (target * log).sum(1)).sum() / total).item()
print(f"PyTorch                          {torchs:.6f}")
print(f"each share by its class's weight {by_share:.6f}")
print(f"each picture by its class's      {by_picture:.6f}")
assert abs(torchs - by_share) < 1e-6, "PyTorch weighs in another way now"
assert abs(torchs - by_picture) > 1e-2
PY
