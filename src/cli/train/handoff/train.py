"""Trains init.safetensors on data/: alone, or on as many processes as `torchrun` starts. README.md says how."""

import argparse, contextlib, json, os, torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot
from torch.utils.data import DataLoader, Subset
from net import Net
from pictures import sets

recipe, p = json.load(open("recipe.json")), argparse.ArgumentParser(description=__doc__)
for name in ("epochs", "batch", "accumulation", "seed"):
    p.add_argument(f"--{name}", type=int, default=recipe[name])
p.add_argument("--workers", type=int, default=2)
p.add_argument("--amp", action="store_true", help="16 bits where they are exact enough (CUDA)")
p.add_argument("--out", default="result.safetensors")
a = p.parse_args()
world, rank, local = (int(os.environ.get(k, d)) for k, d in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0)))
device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
dist.init_process_group("nccl" if device.type == "cuda" else "gloo") if world > 1 else None
with safe_open("init.safetensors", "pt") as file:
    told, weights = file.metadata(), {k: file.get_tensor(k) for k in file.keys()}
data, val = sets(json.loads(told["pixels"]), recipe, a.seed)
model = Net(json.loads(told["spec"]))
model.load_state_dict(weights)
for name, weight in model.to(device).named_parameters():
    weight.requires_grad_(name.startswith(tuple(recipe["learns"])))
learns, amp = [w for w in model.parameters() if w.requires_grad], a.amp and device.type == "cuda"
split = [w for w in learns if w.dim() > 1], [w for w in learns if w.dim() < 2]  # norms and biases may go without decay
decays = recipe["weight_decay"], 0.0 if recipe["skip_norm_and_bias"] else recipe["weight_decay"]
groups = [{"params": part, "weight_decay": decay} for part, decay in zip(split, decays)]
opt = getattr(torch.optim, recipe["optimizer"])(groups, lr=recipe["rates"][0], **recipe["optimizer_arguments"])
scaler, start, best, history = torch.amp.GradScaler(enabled=amp), 0, -1.0, []
if os.path.exists("last.pt"):  # goes on where the last epoch ended
    last = torch.load("last.pt", map_location=device, weights_only=True)
    model.load_state_dict(last["model"]), opt.load_state_dict(last["opt"])
    start, best, history = last["epoch"], last["best"], last["history"]
fast = torch.nn.parallel.DistributedDataParallel(model) if world > 1 else model

def loss_of(logits, labels, s=recipe["label_smoothing"]):
    if recipe["loss"] == "softmax":
        return cross_entropy(logits, labels, label_smoothing=s)
    return binary_cross_entropy_with_logits(logits, one_hot(labels, logits.shape[1]) * (1 - s) + s / 2)

for epoch in range(start, a.epochs):
    data.epoch, count = epoch, world * a.accumulation  # every process, and every part of a step, has pictures of its own
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(a.seed + epoch)).tolist()
    order = (order * count)[: max(len(order) // count, 1) * count]
    mine = [Subset(data, order[rank * a.accumulation + k :: count]) for k in range(a.accumulation)]
    shards = [DataLoader(part, max(a.batch // count, 1), num_workers=a.workers) for part in mine]
    model.train()
    [m.eval() for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d) and recipe["frozen_statistics"]]
    total, right = torch.zeros(2, device=device), torch.zeros(2, device=device)
    for step, parts in enumerate(zip(*shards)):
        at = (epoch + step / len(shards[0])) / recipe["epochs"] * (len(recipe["rates"]) - 1)
        for group in opt.param_groups:
            group["lr"] = recipe["rates"][min(round(at), len(recipe["rates"]) - 1)]
        for k, (x, y) in enumerate(parts):
            wait = fast.no_sync() if world > 1 and k + 1 < len(parts) else contextlib.nullcontext()
            with wait, torch.autocast(device.type, enabled=amp):
                loss = loss_of(fast(x.to(device)), y.to(device)) / len(parts)
                scaler.scale(loss).backward()
            total += torch.stack([loss.detach(), loss.new_tensor(1 / len(parts))])
        scaler.unscale_(opt)
        torch.nn.utils.clip_grad_norm_(learns, recipe["clip_norm"] or float("inf"))
        scaler.step(opt), scaler.update(), opt.zero_grad()
    model.eval()
    with torch.no_grad():
        for x, y in DataLoader(Subset(val, range(rank, len(val), world)), 64, num_workers=a.workers):
            right += torch.tensor([(model(x.to(device)).argmax(1).cpu() == y).sum(), len(y)], device=device)
    [dist.all_reduce(sums) for sums in (total, right) if world > 1]
    history.append({"epoch": epoch + 1, "loss": (total[0] / total[1]).item(), "accuracy": (right[0] / right[1].clamp(min=1)).item()})
    if rank == 0:
        print(json.dumps(history[-1]), flush=True)
        if history[-1]["accuracy"] > best or not len(val):
            best = history[-1]["accuracy"]
            save_file({k: v.contiguous() for k, v in model.state_dict().items()}, a.out, {**told, "handoff": json.dumps(history)})
        torch.save({"model": model.state_dict(), "opt": opt.state_dict(), "epoch": epoch + 1, "best": best, "history": history}, "last.pt")
dist.destroy_process_group() if world > 1 else None
