#!/usr/bin/env bash
# safetensors 0.8.0 (PyPI): save() does not keep the order of the dict it is given. Tensors are written by the size of their type, largest
# first, then by name. A state dict is ordered (stem, stages, head), so one would expect the file to be, too; whoever counts
# layers by their place in the file takes `classifier` for the first one, and every num_batches_tracked (int64) comes before all weights.
#
# Seen:
#   given:   stem.weight bn.weight bn.num_batches_tracked classifier.weight
#   in file: bn.num_batches_tracked bn.weight classifier.weight stem.weight
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet install safetensors==0.8.0 numpy==2.3.5
"$work/venv/bin/python" - <<'PY'
import json, struct
import numpy as np
from safetensors.numpy import save, load

given = {
    "stem.weight": np.ones((2, 2), np.float16),
    "bn.weight": np.ones(2, np.float32),
    "bn.num_batches_tracked": np.zeros((), np.int64),
    "classifier.weight": np.ones((3, 2), np.float32),
}
data = save(given)
length = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8 : 8 + length])
print("given:  ", *given)
print("in file:", *header)
places = {name: entry["data_offsets"][0] for name, entry in header.items()}
assert sorted(places, key=places.get) == list(header), "header and data have different orders"
assert list(header) == ["bn.num_batches_tracked", "bn.weight", "classifier.weight", "stem.weight"], "the order is another one now"
assert list(load(data)) != list(given), "reading brings the order back"
PY
