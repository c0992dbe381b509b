#!/usr/bin/env python3
"""The PyTorch side of the transfer table in docs/learning.md: fine-tunes a ResNet-20 for CIFAR-10 on other pictures.

    python transfer.py TRAIN_DIR TEST_DIR [--depth all|head] [--seeds 0,1,2] [--per-class 50] [--write DIR]
        [--weights FILE]

`TRAIN_DIR` and `TEST_DIR` hold one folder of 32x32 PNG files a class. A seed picks `--per-class` pictures of each class
from TRAIN_DIR; the weights are the bundled model's by default; `--write DIR` also copies the pictures to DIR/seedS, so that
`reslab train` gets exactly the same ones.
"""

import argparse
import json
import random
import shutil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from nets import CifarV1

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
BUNDLED = Path(__file__).resolve().parents[2] / "www/models/resnet20-cifar10.safetensors"


def listing(folder):
    return {d.name: sorted(d.glob("*.png")) for d in sorted(Path(folder).iterdir()) if d.is_dir()}


def load(files):
    images = [torch.from_numpy(np.array(Image.open(f).convert("RGB"))).permute(2, 0, 1) for f in files]
    return (torch.stack(images).float() / 255 - MEAN) / STD


def augment(x, rng):
    """Shift by up to 4 pixels into zeros, and mirror every other time."""
    padded = F.pad(x, (4, 4, 4, 4))
    out = torch.empty_like(x)
    for i in range(len(x)):
        dy, dx = (int(v) for v in rng.integers(0, 9, 2))
        crop = padded[i, :, dy : dy + 32, dx : dx + 32]
        out[i] = crop.flip(-1) if rng.random() < 0.5 else crop
    return out


def run(train, test, classes, args, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = CifarV1(20, classes=classes)
    state = {k: v.float() for k, v in load_file(args.weights).items() if not k.startswith("fc.")}
    model.load_state_dict(state, strict=False)
    (x, y), (tx, ty) = train, test
    head = args.depth == "head"
    for name, p in model.named_parameters():
        p.requires_grad = not head or name.startswith("fc.")
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(params, lr=args.lr, momentum=0.9, weight_decay=args.weight_decay)
    steps = len(x) // args.batch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs * steps)
    for _ in range(args.epochs):
        model.train(not head)  # a frozen backbone runs with its running statistics
        order = torch.from_numpy(rng.permutation(len(x)))
        for s in range(steps):
            index = order[s * args.batch : (s + 1) * args.batch]
            batch = x[index] if head else augment(x[index], rng)
            optimizer.zero_grad()
            F.cross_entropy(model(batch)["logits"], y[index]).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        return (model(tx)["logits"].argmax(1) == ty).float().mean().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--depth", choices=["all", "head"], default="all")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--per-class", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--weights", default=BUNDLED)
    parser.add_argument("--weight-decay", type=float, default=1e-4)
    parser.add_argument("--write")
    args = parser.parse_args()

    files, tests = listing(args.train), listing(args.test)
    tests = {c: tests[c] for c in files}
    test = load([f for c in files for f in tests[c]]), torch.tensor([i for i, c in enumerate(files) for _ in tests[c]])
    results = []
    for seed in (int(s) for s in args.seeds.split(",")):
        pick = random.Random(seed)
        chosen = {c: sorted(pick.sample(files[c], args.per_class)) for c in files}
        if args.write:
            for c, list_ in chosen.items():
                folder = Path(args.write) / f"seed{seed}" / c
                folder.mkdir(parents=True, exist_ok=True)
                for f in list_:
                    shutil.copy(f, folder)
        labels = torch.tensor([i for i, c in enumerate(files) for _ in chosen[c]])
        top1 = run((load([f for c in files for f in chosen[c]]), labels), test, len(files), args, seed)
        results.append(top1)
        print(json.dumps({"depth": args.depth, "seed": seed, "top1": round(top1, 4)}), flush=True)
    print(json.dumps({"depth": args.depth, "mean_top1": round(float(np.mean(results)), 4)}))


if __name__ == "__main__":
    main()
