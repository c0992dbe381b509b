"""The reference nets that no Python package has, written from the papers and the frameworks' documentation.

Each returns its result and its end points in a dict: the name of the last stem layer,
`layer1`, `layer2`, ... and `logits`.

Parameter names are torchvision's; in pre-activation units `bnJ` is the norm directly in
front of `convJ`, `downsample.0` the projection, `norm` the last norm, `fc` the classifier.
"""

import torch.nn.functional as F
from torch import nn


def same(size, kernel, stride):
    """TensorFlow's SAME: cells before and after; the odd one stands at the end."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pad_same(x, kernel, stride, value=0.0):
    top, bottom = same(x.shape[2], kernel, stride)
    left, right = same(x.shape[3], kernel, stride)
    return F.pad(x, (left, right, top, bottom), value=value)


class SameConv2d(nn.Conv2d):
    """A biased convolution padded as TensorFlow's SAME."""

    def __init__(self, c_in, c_out, kernel, stride=1):
        super().__init__(c_in, c_out, kernel, stride, bias=True)

    def forward(self, x):
        return super().forward(pad_same(x, self.kernel_size[0], self.stride[0]))


def stages(net, x, points):
    """Runs layer1, layer2, ... and keeps each stage's output."""
    k = 1
    while hasattr(net, f"layer{k}"):
        x = getattr(net, f"layer{k}")(x)
        points[f"layer{k}"] = x
        k += 1
    return x


class Unit(nn.Module):
    """A block with room for its layers; the subclasses say how they are joined."""

    def __init__(self, convs, norms, projection=None, stride=1):
        super().__init__()
        for j, conv in enumerate(convs, 1):
            setattr(self, f"conv{j}", conv)
        for j, norm in norms.items():
            setattr(self, f"bn{j}", norm)
        self.downsample = projection
        self.stride = stride


# --- ImageNet v1 with the stride on the first 1x1 (the paper, Caffe) ---


def caffe(model):
    """Moves the stride of a torchvision bottleneck net from its 3x3 to its first 1x1 convolutions."""
    for layer in (model.layer2, model.layer3, model.layer4):
        layer[0].conv1.stride = (2, 2)
        layer[0].conv2.stride = (1, 1)
    return model


# --- ImageNet v2, TF-slim's form: arXiv:1603.05027, figure 4e, with the pre-activation shared by both paths ---


class SlimUnit(Unit):
    def forward(self, x):
        preact = F.relu(self.bn1(x))
        if self.downsample is not None:
            shortcut = self.downsample(preact)
        else:
            # subsample: a 1x1 max pool of the raw input
            shortcut = x if self.stride == 1 else F.max_pool2d(x, 1, self.stride)
        y = F.relu(self.bn2(self.conv1(preact)))
        y = F.relu(self.bn3(self.conv2(y)))
        return shortcut + self.conv3(y)


class SlimV2(nn.Module):
    BLOCKS = {14: (1, 1, 1, 1), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}

    def __init__(self, depth, zero_padded_pool=False, eps=1e-5, classes=1000):
        super().__init__()
        self.zero_padded_pool = zero_padded_pool
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        c_in = 64
        for k, count in enumerate(self.BLOCKS[depth]):
            width = 64 << k
            units = []
            for i in range(count):
                stride = 2 if k < 3 and i == count - 1 else 1
                c_out = 4 * width
                convs = (
                    nn.Conv2d(c_in, width, 1, bias=False),
                    nn.Conv2d(width, width, 3, stride, 1, bias=False),
                    nn.Conv2d(width, c_out, 1),
                )
                norms = {j: nn.BatchNorm2d(c, eps) for j, c in ((1, c_in), (2, width), (3, width))}
                projection = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride)) if c_in != c_out else None
                units.append(SlimUnit(convs, norms, projection, stride))
                c_in = c_out
            setattr(self, f"layer{k + 1}", nn.Sequential(*units))
        self.norm = nn.BatchNorm2d(c_in, eps)
        self.fc = nn.Linear(c_in, classes)

    def forward(self, x):
        points = {}
        x = self.conv1(x)
        if self.zero_padded_pool:  # Keras Applications: the zeros take part in the maximum
            x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
        else:
            x = F.max_pool2d(pad_same(x, 3, 2, float("-inf")), 3, 2)
        points["maxpool"] = x
        x = stages(self, x, points)
        points["logits"] = self.fc(F.relu(self.norm(x)).mean((2, 3)))
        return points


# --- Pre-activation without biases, strides where torchvision has them: timm's `resnetv2_*`, kuangliu's PreActResNet ---


class PreActUnit(Unit):
    def __init__(self, c_in, c_out, width, stride):
        if width is None:
            sizes = ((c_in, c_out, 3, stride), (c_out, c_out, 3, 1))
        else:
            sizes = ((c_in, width, 1, 1), (width, width, 3, stride), (width, c_out, 1, 1))
        convs = [nn.Conv2d(i, o, k, s, k // 2, bias=False) for i, o, k, s in sizes]
        norms = {j: nn.BatchNorm2d(i) for j, (i, _, _, _) in enumerate(sizes, 1)}
        changes = stride != 1 or c_in != c_out
        projection = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False)) if changes else None
        super().__init__(convs, norms, projection, stride)
        self.count = len(sizes)

    def forward(self, x):
        y = F.relu(self.bn1(x))
        shortcut = x if self.downsample is None else self.downsample(y)
        for j in range(1, self.count + 1):
            y = y if j == 1 else F.relu(getattr(self, f"bn{j}")(y))
            y = getattr(self, f"conv{j}")(y)
        return shortcut + y


class PreAct(nn.Module):
    def __init__(self, blocks, bottleneck, small, classes):
        super().__init__()
        self.small = small
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False) if small else nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        c_in = 64
        for k, count in enumerate(blocks):
            width = 64 << k
            c_out = 4 * width if bottleneck else width
            units = []
            for i in range(count):
                units.append(PreActUnit(c_in, c_out, width if bottleneck else None, 2 if k > 0 and i == 0 else 1))
                c_in = c_out
            setattr(self, f"layer{k + 1}", nn.Sequential(*units))
        if not small:  # kuangliu's has none
            self.norm = nn.BatchNorm2d(c_in)
        self.fc = nn.Linear(c_in, classes)

    def forward(self, x):
        points = {}
        x = self.conv1(x)
        x = x if self.small else F.max_pool2d(x, 3, 2, 1)
        x = stages(self, x, points)
        x = x if self.small else F.relu(self.norm(x))
        points["logits"] = self.fc(x.mean((2, 3)))
        return points


# --- CIFAR v1: arXiv:1512.03385, section 4.2 ---


class CifarUnit(Unit):
    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.downsample is not None:
            x = self.downsample(x)
        elif self.stride != 1:  # option A
            extra = (y.shape[1] - x.shape[1]) // 2
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, extra, extra))
        return F.relu(x + y)


class CifarV1(nn.Module):
    """`shortcut` is "a" (zero padding), "b" (1x1 and norm) or "keras" (Keras' CIFAR-10 example)."""

    def __init__(self, depth, shortcut="a", classes=10):
        super().__init__()
        keras = shortcut == "keras"
        eps = 1e-3 if keras else 1e-5

        def conv(c_in, c_out, kernel, stride=1):
            if keras:
                return SameConv2d(c_in, c_out, kernel, stride)
            return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)

        self.conv1 = conv(3, 16, 3)
        self.bn1 = nn.BatchNorm2d(16, eps)
        c_in = 16
        for k in range(3):
            units = []
            for i in range((depth - 2) // 6):
                c_out, stride = 16 << k, 2 if k > 0 and i == 0 else 1
                projection = None
                if stride != 1 and shortcut == "3x3":
                    projection = nn.Sequential(conv(c_in, c_out, 3, stride), nn.BatchNorm2d(c_out, eps))
                if stride != 1 and shortcut == "b":
                    projection = nn.Sequential(conv(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out, eps))
                if stride != 1 and keras:
                    projection = nn.Sequential(conv(c_in, c_out, 1, stride))
                convs = (conv(c_in, c_out, 3, stride), conv(c_out, c_out, 3))
                norms = {j: nn.BatchNorm2d(c_out, eps) for j in (1, 2)}
                units.append(CifarUnit(convs, norms, projection, stride))
                c_in = c_out
            setattr(self, f"layer{k + 1}", nn.Sequential(*units))
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        points = {}
        x = F.relu(self.bn1(self.conv1(x)))
        points["relu"] = x
        x = stages(self, x, points)
        points["logits"] = self.fc(x.mean((2, 3)))
        return points


# --- CIFAR v2 as Keras' CIFAR-10 example documents it ---


class KerasCifarV2Unit(Unit):
    def forward(self, x):
        y = x
        for j in (1, 2, 3):
            norm = getattr(self, f"bn{j}", None)
            if norm is not None:  # the very first unit follows the stem's norm and ReLU
                y = F.relu(norm(y))
            y = getattr(self, f"conv{j}")(y)
        return y + (x if self.downsample is None else self.downsample(x))


class CifarV2(nn.Module):
    def __init__(self, depth, classes=10):
        super().__init__()
        eps = 1e-3
        self.conv1 = SameConv2d(3, 16, 3)
        self.bn1 = nn.BatchNorm2d(16, eps)
        c_in = 16
        for k, (width, c_out) in enumerate(((16, 64), (64, 128), (128, 256))):
            units = []
            for i in range((depth - 2) // 9):
                stride = 2 if k > 0 and i == 0 else 1
                convs = (SameConv2d(c_in, width, 1, stride), SameConv2d(width, width, 3), SameConv2d(width, c_out, 1))
                norms = {2: nn.BatchNorm2d(width, eps), 3: nn.BatchNorm2d(width, eps)}
                if k > 0 or i > 0:
                    norms[1] = nn.BatchNorm2d(c_in, eps)
                projection = nn.Sequential(SameConv2d(c_in, c_out, 1, stride)) if i == 0 else None
                units.append(KerasCifarV2Unit(convs, norms, projection, stride))
                c_in = c_out
            setattr(self, f"layer{k + 1}", nn.Sequential(*units))
        self.norm = nn.BatchNorm2d(256, eps)
        self.fc = nn.Linear(256, classes)

    def forward(self, x):
        points = {}
        x = F.relu(self.bn1(self.conv1(x)))
        points["relu"] = x
        x = stages(self, x, points)
        points["logits"] = self.fc(F.relu(self.norm(x)).mean((2, 3)))
        return points


# --- Custom nets from a block table ---


class PostActivationUnit(Unit):
    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if hasattr(self, "conv3"):
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class LabmlBase(nn.Module):
    """labml's base: features only, no pool, no ReLU in the stem, one stride of 2 in the very first block."""

    def __init__(self, blocks=(2, 2), channels=(16, 32), bottlenecks=None, first_kernel=7):
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels[0], first_kernel, 2, first_kernel // 2)
        self.bn1 = nn.BatchNorm2d(channels[0])
        c_in = channels[0]
        for k, (count, c_out) in enumerate(zip(blocks, channels)):
            units = []
            for i in range(count):
                stride = 2 if k == 0 and i == 0 else 1
                if bottlenecks is None:
                    convs = (nn.Conv2d(c_in, c_out, 3, stride, 1), nn.Conv2d(c_out, c_out, 3, 1, 1))
                else:
                    width = bottlenecks[k]
                    convs = (nn.Conv2d(c_in, width, 1), nn.Conv2d(width, width, 3, stride, 1), nn.Conv2d(width, c_out, 1))
                norms = {j: nn.BatchNorm2d(c.out_channels) for j, c in enumerate(convs, 1)}
                projection = None
                if stride != 1 or c_in != c_out:
                    projection = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out))
                units.append(PostActivationUnit(convs, norms, projection, stride))
                c_in = c_out
            setattr(self, f"layer{k + 1}", nn.Sequential(*units))

    def forward(self, x):
        points = {}
        x = self.bn1(self.conv1(x))
        points["bn1"] = x
        x = stages(self, x, points)
        points["logits"] = x.mean((2, 3))
        return points


class ResNet50For51Classes(nn.Module):
    """A ResNet-50 with a 3x3 stride-1 stem, the stride on the first 1x1, TensorFlow's padding and epsilon; a 7x7 average
    pool of stride 1, whose padding counts nowhere, and a linear layer over all pixels in TensorFlow's order."""

    def __init__(self, image=224, counts=(3, 4, 6, 3), classes=51):
        super().__init__()
        eps = 1e-3
        self.conv1 = SameConv2d(3, 64, 3)
        self.bn1 = nn.BatchNorm2d(64, eps)
        c_in = 64
        for k, count in enumerate(counts):
            width, units = 64 << k, []
            for i in range(count):
                c_out, stride = 4 * width, 2 if k > 0 and i == 0 else 1
                convs = (SameConv2d(c_in, width, 1, stride), SameConv2d(width, width, 3), SameConv2d(width, c_out, 1))
                norms = {j: nn.BatchNorm2d(c.out_channels, eps) for j, c in enumerate(convs, 1)}
                projection = None
                if i == 0:
                    projection = nn.Sequential(SameConv2d(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out, eps))
                units.append(PostActivationUnit(convs, norms, projection, stride))
                c_in = c_out
            setattr(self, f"layer{k + 1}", nn.Sequential(*units))
        side = -(-image // 2 ** len(counts))
        self.fc = nn.Linear(side * side * c_in, classes)

    def forward(self, x):
        points = {}
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(pad_same(x, 3, 2, float("-inf")), 3, 2)
        points["maxpool"] = x
        x = stages(self, x, points)
        x = F.avg_pool2d(x, 7, 1, 3, count_include_pad=False)
        points["logits"] = self.fc(x.permute(0, 2, 3, 1).flatten(1))
        return points


class DenseWithoutRoot(nn.Module):
    """TF-slim's `resnet_v2` with `include_root_block=False` and `global_pool=False`: two units, logits of every pixel."""

    def __init__(self):
        super().__init__()
        c_in = 3
        for k, (width, c_out, stride) in enumerate(((4, 16, 2), (8, 32, 1))):
            convs = (nn.Conv2d(c_in, width, 1, bias=False), nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.Conv2d(width, c_out, 1))
            norms = {1: nn.BatchNorm2d(c_in), 2: nn.BatchNorm2d(width), 3: nn.BatchNorm2d(width)}
            unit = SlimUnit(convs, norms, nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride)), stride)
            setattr(self, f"layer{k + 1}", nn.Sequential(unit))
            c_in = c_out
        self.norm = nn.BatchNorm2d(c_in)
        self.fc = nn.Conv2d(c_in, 5, 1)

    def forward(self, x):
        points = {}
        x = stages(self, x, points)
        points["logits"] = self.fc(F.relu(self.norm(x)))
        return points
