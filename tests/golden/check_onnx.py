#!/usr/bin/env python3
"""Holds ONNX files that ResLab wrote against the golden values: `python check_onnx.py PATH...`.

Every file passes `onnx.checker` (full check, strict shape inference) and runs in ONNX Runtime on the CPU. A file that is called
as one of `values/` gets that case's input, and what comes out is compared with what the reference framework says, in f64. A
path may be a folder of such files. `cargo xtask golden` writes them and runs this.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors import safe_open

from generator import tensor

HERE = Path(__file__).resolve().parent
# Of logits that are up to about 5 for these weights.
TOLERANCE = 1e-3


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2  # warnings are shown
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    (image,), (result,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape[0], image.type) == ("input", "N", "tensor(float)"), image
    assert result.name in ("logits", "features") and result.shape[0] == "N", result
    props = {entry.key: entry.value for entry in model.metadata_props}
    classes = json.loads(props["classes"]) if "classes" in props else None
    assert classes is None or len(classes) == result.shape[1], "as many names as logits"

    values = HERE / "values" / f"{path.stem}.safetensors"
    if not values.exists():
        (got,) = session.run(None, {"input": np.zeros((2, *image.shape[1:]), np.float32)})
        assert got.shape == (2, result.shape[1]) and np.isfinite(got).all()
        print(f"{path.name}: sound, {result.name} {got.shape}")
        return 0.0
    with safe_open(values, "np") as file:
        shape = json.loads(file.metadata()["input"])
        golden = file.get_tensor("logits")
    (got,) = session.run(None, {"input": tensor("input", tuple(shape))})
    error = np.abs(got - golden.reshape(got.shape)).max()
    largest = np.abs(golden).max()
    assert error <= TOLERANCE, f"{path.name}: {error} from the reference"
    assert (got.argmax(1) == golden.reshape(got.shape).argmax(1)).all(), f"{path.name}: another top-1"
    print(f"{path.name}: sound, within {error:.1e} of the reference (largest {largest:.2f})")
    return error


if __name__ == "__main__":
    paths = [Path(name) for name in sys.argv[1:]]
    files = [file for path in paths for file in (sorted(path.glob("*.onnx")) if path.is_dir() else [path])]
    assert files, "give ONNX files or folders of them"
    worst = max(check(file) for file in files)
    print(f"{len(files)} files, largest error {worst:.1e}")
