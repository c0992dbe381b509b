"""The pictures of data/, prepared as init.safetensors says, and varied as recipe.json says."""

import torch
from PIL import Image, ImageOps
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2 as t


class Folder(ImageFolder):
    """Classes in the network's order; a picture is varied in the same way whoever reads it."""

    def __init__(self, path, folders, transform, seed):
        self.folders, self.seed, self.epoch = folders, seed, 0
        super().__init__(path, transform, loader=self.open, allow_empty=True)

    def open(self, path):
        return ImageOps.exif_transpose(Image.open(path)).convert("RGB")

    def find_classes(self, path):
        return self.folders, {name: i for i, name in enumerate(self.folders)}

    def __getitem__(self, i):
        torch.manual_seed(self.seed * 1_000_003 + self.epoch * 10_007 + i)
        return super().__getitem__(i)


def sets(px, recipe, seed):
    size, aug = px["crop"][::-1], recipe["augmentation"]
    cubic = {"bilinear": t.InterpolationMode.BILINEAR}.get(px["filter"], t.InterpolationMode.BICUBIC)
    resize = t.Resize(px["resize"]["shorter"] if "shorter" in px["resize"] else px["resize"]["exact"][::-1], cubic)
    order = t.Lambda(lambda x: x.flip(0)) if px["channel_order"] == "bgr" else t.Identity()
    mean, std = ([v / (px["scale"] * 255) for v in px[key]] for key in ("mean", "std"))
    ends = [t.PILToTensor(), t.ToDtype(torch.float32, scale=True), order, t.Normalize(mean, std)]
    crop, shift = aug["resized_crop"], aug["shift_px"]
    vary = [t.RandomResizedCrop(size, crop["scale"], crop["ratio"], cubic)] if crop else [resize, t.CenterCrop(size)]
    jitter = [aug[key] for key in ("brightness", "contrast", "saturation", "hue")]
    vary += [t.RandomHorizontalFlip()] * aug["flip"]
    vary += [t.RandomRotation(aug["rotation_deg"])] * (aug["rotation_deg"] > 0) + [t.ColorJitter(*jitter)] * any(jitter)
    vary += ends + [t.RandomCrop(size, shift)] * (shift > 0) + [t.RandomErasing(aug["erasing"])] * (aug["erasing"] > 0)
    train = Folder("data/train", recipe["folders"], t.Compose(vary), seed)
    return train, Folder("data/val", recipe["folders"], t.Compose([resize, t.CenterCrop(size), *ends]), seed)
