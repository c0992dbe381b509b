#!/usr/bin/env python3
"""Runs what `reslab hand-off` writes: `python check_handoff.py RESLAB`.

Two processes of torchrun (gloo, on the CPU) train two epochs of a small set. Their losses are those of one process that runs each step in
two parts, and, with frozen statistics, of one that runs it whole; each process reads pictures of its own; a run that is stopped goes on
to the same result; what comes out has in ResLab the answers that it has in PyTorch; and Hugging Face's parser knows every key.
`cargo xtask test long` runs it.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors import safe_open

RESLAB = sys.argv[1]


def run(*command, cwd=None):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def pictures(folder):
    chance = np.random.default_rng(1)
    for label, colour in (("red ones", 0), ("green/ones", 1), ("blue", 2)):
        place = folder / label.replace("/", "_")
        place.mkdir(parents=True)
        for i in range(16):
            image = chance.integers(0, 120, (24, 24, 3), dtype=np.uint8)
            image[:, :, colour] += 100
            Image.fromarray(image).save(place / f"{i}.png")


def train(bundle, processes, *arguments):
    (bundle / "last.pt").unlink(missing_ok=True)
    return resume(bundle, processes, *arguments)


def resume(bundle, processes, *arguments):
    start = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"] if processes > 1 else []
    lines = run(sys.executable, *start, "train.py", "--workers", 0, *arguments, cwd=bundle).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def losses(lines):
    return np.array([line["loss"] for line in lines])


def main(folder):
    data = folder / "data"
    pictures(data)
    for statistics in ("batch", "frozen"):
        bundle = folder / statistics
        options = ["--arch", "resnet8", "--size", 24, "--epochs", 2, "--batch", 12, "--bn", statistics, "--seed", 3]
        run(RESLAB, "hand-off", data, "--out", bundle, *options)
        kept = [p for side in ("train", "val") for p in (bundle / "data" / side).rglob("*.png")]
        originals = {p.read_bytes() for p in data.rglob("*.png")}
        assert len(kept) == 48 and {p.read_bytes() for p in kept} == originals, "the pictures as they were, each once"
        two = train(bundle, 2)
        parts = train(bundle, 1, "--accumulation", 2)
        assert np.abs(losses(two) - losses(parts)).max() < 1e-4, (two, parts)
        if statistics == "frozen":
            whole = train(bundle, 1)
            assert np.abs(losses(two) - losses(whole)).max() < 1e-4, (two, whole)
        halves = train(bundle, 2, "--epochs", 1) + resume(bundle, 2)
        assert np.abs(losses(two) - losses(halves)).max() < 1e-5, (two, halves)
        print(f"{statistics}: two processes {losses(two)}, two parts {losses(parts)}")

    # Back in ResLab: the same answer for every picture.
    sys.path.insert(0, str(bundle))
    os.chdir(bundle)
    from net import Net
    from pictures import sets

    with safe_open("result.safetensors", "pt") as file:
        told, state = file.metadata(), {k: file.get_tensor(k) for k in file.keys()}
    net = Net(json.loads(told["spec"])).eval()
    net.load_state_dict(state)
    val = sets(json.loads(told["pixels"]), json.load(open("recipe.json")), 1)[1]
    theirs = [net(x[None]).argmax().item() for x, _ in val]
    files = [path for path, _ in val.samples]
    ours = json.loads(run(RESLAB, "classify", *files, "--weights", "result.safetensors", "--top", 1, "--json"))["images"]
    assert [image["top"][0]["class"] for image in ours] == theirs
    assert len(json.loads(told["handoff"])) >= 1

    keys = set(json.load(open("training_arguments.json")))
    known = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    assert keys <= known, keys - known
    print(f"result: {len(theirs)} pictures as in PyTorch {torch.__version__}; Transformers {transformers.__version__} knows the keys")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
