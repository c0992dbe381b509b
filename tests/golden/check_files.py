#!/usr/bin/env python3
"""Holds files of torchvision's and timm's nets, as PyTorch saves them, against their own logits: `python check_files.py RESLAB`.

Weights are random, with batch norms whose statistics are those of random pictures, so that a wrong stride, pool or epsilon shows. Each
file is loaded by the command line; the logarithms of its probabilities must be PyTorch's to 2e-3.
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

SIDE, CLASSES = 64, 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NETS = {
    "torchvision": ("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2"),
    "timm": (
        "resnet10t", "resnet14t", "resnet18d", "resnet26d", "resnet26t", "resnet50c", "resnet50s", "resnext50d_32x4d",
        "resnetv2_18", "resnetv2_34d", "resnetv2_50",
    ),
}  # fmt: skip


def calibrated(net):
    random = torch.Generator().manual_seed(1)
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        norm.weight.data = torch.rand(norm.weight.shape, generator=random) * 0.8 + 0.6
        norm.bias.data = torch.randn(norm.bias.shape, generator=random) * 0.2
    with torch.no_grad():
        for _ in range(2):
            net.train()(torch.randn(4, 3, SIDE, SIDE, generator=random))
    return net.eval()


def files(net, pixels, folder):
    """The ways in which people save a net."""
    state = net.state_dict()
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "a.safetensors")
    torch.save(state, folder / "b.pth")
    torch.save(state, folder / "c.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, folder / "d.pth.tar")
    torch.save(net, folder / "e.pth")
    torch.jit.save(torch.jit.trace(net, pixels), folder / "f.pt")
    torch.export.save(torch.export.export(net, (pixels,)), folder / "g.pt2")
    return sorted(folder.iterdir())


def main(reslab):
    worst, wrong = 0.0, []
    with tempfile.TemporaryDirectory() as temporary:
        picture = Path(temporary) / "picture.png"
        noise = np.random.default_rng(3).integers(0, 256, (9, 9, 3)).astype("uint8")
        Image.fromarray(noise).resize((SIDE, SIDE), Image.BICUBIC).save(picture)
        values = (np.asarray(Image.open(picture)).astype("float32") / 255 - MEAN) / STD
        pixels = torch.from_numpy(values.transpose(2, 0, 1)[None]).float()
        for source, names in NETS.items():
            for name in names:
                torch.manual_seed(0)
                make = timm.create_model if source == "timm" else lambda n, **k: getattr(torchvision.models, n)(**k)
                net = calibrated(make(name, num_classes=CLASSES))
                with torch.no_grad():
                    expected = torch.log_softmax(net(pixels), 1)[0].numpy()
                folder = Path(temporary) / name
                folder.mkdir()
                for path in files(net, pixels, folder):
                    command = [reslab, "classify", picture, "--weights", path, "--device", "cpu", "--json", "--top", str(CLASSES)]
                    command += ["--size", str(SIDE), f"--mean={','.join(map(str, MEAN))}", f"--std={','.join(map(str, STD))}"]
                    run = subprocess.run(command, capture_output=True, text=True)
                    if run.returncode != 0:
                        wrong.append(f"{name}, {path.name}: {run.stderr.strip()}")
                        continue
                    top = json.loads(run.stdout)["images"][0]["top"]
                    ours = {one["class"]: math.log(max(one["probability"], 1e-45)) for one in top}
                    apart = max(abs(ours[i] - expected[i]) for i in range(CLASSES))
                    worst = max(worst, apart)
                    if apart > 2e-3:
                        wrong.append(f"{name}, {path.name}: {apart:.1e} apart")
                    path.unlink()
                print(f"{source} {name}: largest difference so far {worst:.1e}", flush=True)
    print("\n".join(wrong) or f"every file of {sum(map(len, NETS.values()))} nets gives PyTorch's answer to {worst:.1e}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
