#!/usr/bin/env python3
"""Trains a ResNet-20 for CIFAR-10 with PyTorch, about 270,000 parameters: what `reslab train` is compared with.

The net is the 6n+2 net of He et al. 2015 (arXiv:1512.03385, section 4.2) with
n = 3, stages of 16, 32 and 64 channels and option A shortcuts: where a stage
begins, the identity is subsampled (every second row and column) and padded with
zero channels, half of them before and half behind. Convolutions have no bias.

Data: a folder with `train/` and `test/`, each with one folder of PNG files a
class; the sorted names of the folders are the labels.

    python train_cifar.py --data DIR --out cifar10.safetensors

A checkpoint is written after every epoch beside the output; the same command
run again goes on from it. `--export-only` writes the output from the newest
checkpoint and measures it. `README.md` in this folder has the figures.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

MEAN = (0.485, 0.456, 0.406)  # the `cifar` preset: ImageNet's mean and deviation
STD = (0.229, 0.224, 0.225)
PAD = 4  # pixels around the picture for the random crop


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; (N, C_in, H, W) -> (N, C_out, H / stride, W / stride)."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.stride = stride
        self.pad = (c_out - c_in) // 2

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.stride != 1 or self.pad:
            x = x[:, :, :: self.stride, :: self.stride]
            x = F.pad(x, (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(x + y)


class ResNet20(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        c_in = 16
        for stage in (1, 2, 3):
            c_out = 8 << stage
            blocks = []
            for i in range(3):
                blocks.append(BasicBlock(c_in, c_out, 2 if stage > 1 and i == 0 else 1))
                c_in = c_out
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def load_split(folder):
    """Reads DIR/class/*.png -> (uint8 (N, 32, 32, 3), int64 (N,), class names)."""
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir())
    if len(classes) != 10:
        raise SystemExit(f"{folder}: expected 10 class folders, found {len(classes)}")
    pixels, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).glob("*.png")):
            with Image.open(path) as image:
                pixels.append(np.asarray(image.convert("RGB")))
            labels.append(label)
    return torch.from_numpy(np.stack(pixels)), torch.tensor(labels), classes


def normalise(pixels):
    """uint8 (N, H, W, 3) -> float (N, 3, H, W), stored channels last."""
    x = pixels.permute(0, 3, 1, 2).float().div_(255)
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    return x.sub_(mean).div_(std)


def augment(padded, index, rng):
    """Random 32x32 crops of the padded pictures, half of them mirrored."""
    n = len(index)
    span = torch.arange(32)
    top = torch.randint(0, 2 * PAD + 1, (n, 1), generator=rng)
    left = torch.randint(0, 2 * PAD + 1, (n, 1), generator=rng)
    mirror = torch.rand(n, 1, generator=rng) < 0.5
    rows = top + span
    columns = left + torch.where(mirror, 31 - span, span)
    return padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]


def learning_rate(step, total, warmup, peak, decay):
    """Linear warm-up, flat, then linear to zero over the last `decay` of all steps.

    Until the decay begins the rate does not depend on `total`, so a run may be
    made longer or shorter while it is flat and still equal a fresh run.
    """
    start = int(total * (1 - decay))
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * min(1.0, (total - step) / max(1, total - start))


@torch.no_grad()
def accuracy(net, pixels, labels, amp):
    """Fraction of pictures whose largest logit is their label."""
    net.eval()
    right = 0
    for i in range(0, len(labels), 500):
        x = normalise(pixels[i : i + 500])
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            right += (net(x).argmax(1) == labels[i : i + 500]).sum().item()
    return right / len(labels)


def export(state, classes, path):
    """Writes f16 safetensors with the metadata ResLab reads; returns the f16 tensors."""
    tensors = {
        k: v.half().contiguous(memory_format=torch.contiguous_format)
        for k, v in state.items()
        if not k.endswith("num_batches_tracked")
    }
    metadata = {
        "format": "pt",
        "arch": "resnet20",
        "family": "cifar-v1",
        "shortcut": "zero-pad",
        "classes": json.dumps(classes, separators=(",", ":")),
        "preset": "cifar",
    }
    save_file(tensors, path, metadata)
    return tensors


def average_gradients(parameters, workers):
    """One exchange a step: each worker saw another part of the batch."""
    flat = torch.cat([p.grad.reshape(-1) for p in parameters])
    dist.all_reduce(flat)
    flat /= workers
    for p, piece in zip(parameters, flat.split([p.numel() for p in parameters])):
        p.grad.copy_(piece.view_as(p))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="default: OUT with .pt")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.15)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--decay", type=float, default=0.44, help="share of the run in which the rate falls")
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the averaged weights, per step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(),
        help="processes that share each batch; unlike threads they wait for each other once a step, not in every layer",
    )
    parser.add_argument("--no-amp", action="store_true", help="f32 instead of bfloat16")
    parser.add_argument("--export-only", action="store_true")
    args = parser.parse_args()
    if args.batch % args.workers:
        raise SystemExit(f"--batch {args.batch} does not divide among --workers {args.workers}")
    if args.export_only or args.workers == 1:
        args.workers = 1
        train(0, args)
        return
    with tempfile.TemporaryDirectory() as folder:
        args.rendezvous = f"file://{folder}/rendezvous"
        torch.multiprocessing.spawn(train, (args,), args.workers)


def train(rank, args):
    """One worker; the first also averages, measures and writes."""
    checkpoint = args.checkpoint or args.out.with_suffix(".pt")
    share = args.batch // args.workers
    if args.workers > 1:
        dist.init_process_group("gloo", init_method=args.rendezvous, rank=rank, world_size=args.workers)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    test_x, test_y, classes = load_split(args.data / "test")
    net = ResNet20().to(memory_format=torch.channels_last)
    average = ResNet20().to(memory_format=torch.channels_last)
    average.load_state_dict(net.state_dict())

    # Norms and biases are few and shape the output's scale: no weight decay.
    decayed = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() == 1]
    optimizer = torch.optim.SGD(
        [{"params": decayed, "weight_decay": args.weight_decay}, {"params": plain}],
        lr=args.lr, momentum=0.9, nesterov=True,
    )
    epoch = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(saved["net"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        epoch = saved["epoch"]
        print(f"worker {rank} resumed after epoch {epoch}", flush=True)

    if not args.export_only:
        pixels, labels, names = load_split(args.data / "train")
        if names != classes:
            raise SystemExit("train/ and test/ hold different classes")
        mean_pixel = torch.tensor([round(255 * m) for m in MEAN], dtype=torch.uint8)
        padded = mean_pixel.repeat(len(pixels), 32 + 2 * PAD, 32 + 2 * PAD, 1)
        padded[:, PAD:-PAD, PAD:-PAD] = pixels
        del pixels
        steps = len(labels) // args.batch
        total = steps * args.epochs
        for epoch in range(epoch, args.epochs):
            began = time.time()
            # Everything random in an epoch follows from its number: resuming changes nothing.
            rng = torch.Generator().manual_seed(args.seed * 100_003 + epoch)
            order = torch.randperm(len(labels), generator=rng)
            rng.manual_seed((args.seed * 100_003 + epoch) * 1_009 + rank)
            net.train()
            loss_sum = 0.0
            for i in range(steps):
                step = epoch * steps + i
                rate = learning_rate(step, total, 2 * steps, args.lr, args.decay)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                index = order[i * args.batch + rank * share :][:share]
                x = normalise(augment(padded, index, rng))
                with torch.autocast("cpu", torch.bfloat16, enabled=not args.no_amp):
                    logits = net(x)
                loss = F.cross_entropy(logits.float(), labels[index])
                optimizer.zero_grad()
                loss.backward()
                if args.workers > 1:
                    average_gradients(list(net.parameters()), args.workers)
                optimizer.step()
                loss_sum += loss.item()
                if rank > 0:
                    continue
                with torch.no_grad():
                    # A young average must forget its random start.
                    keep = min(args.ema, (1 + step) / (10 + step))
                    for a, b in zip(average.state_dict().values(), net.state_dict().values()):
                        if a.is_floating_point():
                            a.lerp_(b, 1 - keep)
            if rank > 0:
                continue
            state = {
                "net": net.state_dict(), "average": average.state_dict(),
                "optimizer": optimizer.state_dict(), "epoch": epoch + 1,
            }
            torch.save(state, checkpoint.with_suffix(".tmp"))
            os.replace(checkpoint.with_suffix(".tmp"), checkpoint)
            measured = accuracy(average, test_x, test_y, True)
            print(
                f"epoch {epoch + 1}/{args.epochs} loss {loss_sum / steps:.4f} lr {rate:.4f} "
                f"test {measured:.4f} (average) {time.time() - began:.0f} s "
                f"{steps * args.batch / (time.time() - began):.0f} images/s",
                flush=True,
            )

    if rank > 0:
        return
    # What counts is the file: its rounded weights, evaluated in f32.
    export(average.state_dict(), classes, args.out)
    rounded = {k: v.float() for k, v in load_file(args.out).items()}
    average.load_state_dict(rounded, strict=False)
    print(f"{args.out}: f16 weights, test accuracy {accuracy(average, test_x, test_y, False):.4f}")


if __name__ == "__main__":
    main()
