"""The network of a ResLab file in PyTorch, under the names that the file has: every ResNet that ResLab's table (`spec`) describes."""

import torch.nn.functional as F
from torch import nn


def same(size, kernel, stride):
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Pad(nn.Module):
    """TensorFlow's SAME padding, which depends on the picture's size."""

    def __init__(self, kernel, stride, value=0.0):
        super().__init__()
        self.kernel, self.stride, self.value = kernel, stride, value

    def forward(self, x):
        sides = same(x.shape[3], self.kernel, self.stride) + same(x.shape[2], self.kernel, self.stride)
        return F.pad(x, sides, value=self.value)


class Conv(nn.Conv2d):
    def __init__(self, spec, c_in, c_out, kernel, stride=1, normed=True, groups=1):
        bias = {"never": False, "without-norm": not normed, "always": True}[spec.get("bias", "never")]
        own = spec.get("padding", "symmetric") == "symmetric"
        super().__init__(c_in, c_out, kernel, stride, kernel // 2 if own else 0, bias=bias, groups=groups)
        self.before = None if own else Pad(kernel, stride)

    def forward(self, x):
        return super().forward(x if self.before is None else self.before(x))


class ZeroPad(nn.Module):
    def __init__(self, stride, c_in, c_out, behind):
        super().__init__()
        before = 0 if behind else (c_out - c_in) // 2
        self.stride, self.sides = stride, (0, 0, 0, 0, before, c_out - c_in - before)

    def forward(self, x):
        return F.pad(x[:, :, :: self.stride, :: self.stride], self.sides)


class Block(nn.Module):
    def __init__(self, spec, c_in, stage, stride, activated):
        super().__init__()
        c_out, width = stage["channels"], stage.get("bottleneck")
        norm = lambda channels: nn.BatchNorm2d(channels, spec.get("bn_eps", 1e-5))
        self.pre = spec.get("order", "post-activation")
        post = self.pre == "post-activation"
        if width is None:
            convs = [(c_in, c_out, 3, stride), (c_out, c_out, 3, 1)]
        else:
            first, second = (stride, 1) if spec.get("stride_on") == "conv1x1" else (1, stride)
            convs = [(c_in, width, 1, first), (width, width, 3, second), (width, c_out, 1, 1)]
        self.count, self.activated = len(convs), activated
        for j, (i, o, kernel, step) in enumerate(convs, 1):
            groups = spec.get("groups", 1) if kernel > 1 else 1
            setattr(self, f"conv{j}", Conv(spec, i, o, kernel, step, post or j < len(convs), groups))
            if post or j > 1 or not activated:
                setattr(self, f"bn{j}", norm(o if post else i))
        kind, last = spec.get("shortcut", "projection"), spec.get("stride_unit", "first") == "last"
        self.downsample = nn.Identity()
        if c_in == c_out and stride > 1 and (last or not post):
            self.downsample = ZeroPad(stride, c_in, c_out, True)
            self.raw = True
            return
        self.raw = self.pre == "pre-activation-raw-projection"
        if c_in == c_out and (stride == 1 or not post):
            self.raw = True
        elif kind in ("zero-pad", "zero-pad-behind"):
            self.downsample = ZeroPad(stride, c_in, c_out, kind == "zero-pad-behind")
        elif kind == "average-pool":
            pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
            parts = [pool, Conv(spec, c_in, c_out, 1, 1, post)] + ([norm(c_out)] if post else [])
            self.downsample = nn.Sequential(*parts)
        else:
            normed = post and kind == "projection"
            parts = [Conv(spec, c_in, c_out, 1, stride, normed)] + ([norm(c_out)] if normed else [])
            self.downsample = nn.Sequential(*parts)

    def forward(self, x):
        y, shortcut = x, None
        if self.pre == "post-activation":
            for j in range(1, self.count + 1):
                y = getattr(self, f"bn{j}")(getattr(self, f"conv{j}")(y))
                y = F.relu(y) if j < self.count else y
            return F.relu(y + self.downsample(x))
        for j in range(1, self.count + 1):
            if j > 1 or not self.activated:
                y = F.relu(getattr(self, f"bn{j}")(y))
            shortcut = y if j == 1 else shortcut
            y = getattr(self, f"conv{j}")(y)
        return y + self.downsample(x if self.raw else shortcut)


class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        stem, eps, pool = spec["stem"], spec.get("bn_eps", 1e-5), spec["stem"].get("pool")
        c, c_in, normed = stem["channels"], spec.get("image_channels", 3), stem.get("norm", True)
        if stem.get("deep"):
            a, b = stem["deep"]
            self.conv1 = nn.Sequential(
                Conv(spec, c_in, a, stem["kernel"], stem["stride"]), nn.BatchNorm2d(a, eps), nn.ReLU(),
                Conv(spec, a, b, stem["kernel"]), nn.BatchNorm2d(b, eps), nn.ReLU(),
                Conv(spec, b, c, stem["kernel"], 1, normed),
            )
        else:
            self.conv1 = Conv(spec, c_in, c, stem["kernel"], stem["stride"], normed)
        self.bn1 = nn.BatchNorm2d(c, eps) if normed else nn.Identity()
        self.relu = nn.ReLU() if stem.get("relu", True) else nn.Identity()
        self.maxpool = nn.Identity()
        if pool:
            kernel, stride, value = pool["kernel"], pool["stride"], 0.0 if pool.get("zeros") else float("-inf")
            own = pool.get("padding", "symmetric") == "symmetric"
            pad = nn.ConstantPad2d(kernel // 2, value) if own else Pad(kernel, stride, value)
            self.maxpool = nn.Sequential(pad, nn.MaxPool2d(kernel, stride))
        last, pre = spec.get("stride_unit", "first") == "last", spec.get("order", "post-activation") != "post-activation"
        for k, stage in enumerate(spec["stages"], 1):
            units = []
            for i in range(stage["blocks"]):
                carries = i + 1 == stage["blocks"] if last else i == 0
                activated = pre and normed and stem.get("relu", True) and k == 1 and i == 0
                units.append(Block(spec, c, stage, stage["stride"] if carries else 1, activated))
                c = stage["channels"]
            setattr(self, f"layer{k}", nn.Sequential(*units))
        self.stages = len(spec["stages"])
        self.norm = nn.BatchNorm2d(c, eps) if pre and spec.get("final_norm", True) else None
        widths = spec.get("head", [])
        head = [part for a, b in zip([c, *widths], widths) for part in (nn.Linear(a, b), nn.ReLU())]
        self.fc = nn.Linear(c, spec["classes"]) if not head else nn.Sequential(*head, nn.Linear(widths[-1], spec["classes"]))

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for k in range(1, self.stages + 1):
            x = getattr(self, f"layer{k}")(x)
        x = x if self.norm is None else F.relu(self.norm(x))
        return self.fc(x.mean((2, 3)))
