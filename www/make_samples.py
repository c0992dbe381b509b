"""Draws the sample pictures of the page: one scene for each class of CIFAR-10 that we can draw well.

    pip install pillow numpy
    python make_samples.py [NAME...]

Everything is drawn here from curves and gradients, so the pictures are ours to ship. Each is a 224 x 224 WebP.
"""
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

HERE = Path(__file__).parent / "samples"
SIZE = 224
SCALE = 4  # drawn larger, so that edges come out smooth
N = SIZE * SCALE


def curve(points, closed=True, steps=16):
    """A Catmull-Rom curve through points in 0..1, in pixels."""
    p = np.array(points, float)
    if closed:
        p = np.vstack([p[-1:], p, p[:2]])
    else:
        p = np.vstack([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    out = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:]):
        out.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return [tuple(q) for q in np.vstack(out) * N]


def straight(points):
    return [(x * N, y * N) for x, y in points]


def mask(points, smooth=True, blur=0):
    image = Image.new("L", (N, N))
    ImageDraw.Draw(image).polygon(curve(points) if smooth else straight(points), fill=255)
    return image.filter(ImageFilter.GaussianBlur(blur * N)) if blur else image


def ellipse_mask(x, y, rx, ry, blur=0):
    image = Image.new("L", (N, N))
    ImageDraw.Draw(image).ellipse([(x - rx) * N, (y - ry) * N, (x + rx) * N, (y + ry) * N], fill=255)
    return image.filter(ImageFilter.GaussianBlur(blur * N)) if blur else image


def gradient(stops):
    """A vertical gradient through (height in 0..1, colour)."""
    heights, colours = zip(*stops)
    y = np.linspace(0, 1, N)
    line = np.stack([np.interp(y, heights, [c[i] for c in colours]) for i in range(3)], -1)
    return Image.fromarray(np.repeat(line[:, None], N, 1).astype(np.uint8))


def clouds(seed, octaves=6, stretch=2, start=2):
    """Smooth noise in 0..1."""
    rng = np.random.default_rng(seed)
    total = np.zeros((N, N))
    for octave in range(octaves):
        cells = start * 2**octave
        grid = (rng.random((cells + 1, max(2, cells // stretch + 1))) * 255).astype(np.uint8)
        layer = Image.fromarray(grid).resize((N, N), Image.Resampling.BICUBIC)
        total += np.asarray(layer, float) / 255 / 2**octave
    total -= total.min()
    return total / total.max()


def texture(image, area, seed, strength, octaves=7, stretch=1, start=8):
    """Lightens and darkens `area` with smooth noise: fur, grass, water."""
    noise = (clouds(seed, octaves, stretch, start) - 0.5) * 2 * strength
    rgb = np.asarray(image, float) * (1 + noise[..., None])
    image.paste(Image.fromarray(rgb.clip(0, 255).astype(np.uint8)), mask=area)


def paint(image, area, colour, opacity=1.0):
    if opacity < 1:
        area = area.point(lambda v: int(v * opacity))
    image.paste(tuple(colour), mask=area)


def shape(image, points, colour, smooth=True, opacity=1.0, blur=0):
    area = mask(points, smooth, blur)
    paint(image, area, colour, opacity)
    return area


def shade(image, area, light=(0, -0.03), dark=0.45, bright=0.25, blur=0.03):
    """Rounds an area: its lower edge darker, its upper edge brighter."""
    soft = area.filter(ImageFilter.GaussianBlur(blur * N))
    dx, dy = int(light[0] * N), int(light[1] * N)
    pad = max(abs(dx), abs(dy), 1)
    wide = np.pad(np.asarray(soft), pad, mode="edge")
    moved = lambda x, y: Image.fromarray(255 - wide[pad - y : pad - y + N, pad - x : pad - x + N])
    below = ImageChops.multiply(moved(dx, dy), area)
    above = ImageChops.multiply(moved(-dx, -dy), area)
    paint(image, below, (0, 0, 0), dark)
    paint(image, above, (255, 255, 255), bright)


def limb(image, points, widths, colour, dark=0.4):
    """A tapering stroke along a curve."""
    line = np.array(curve(points, closed=False)) / N
    w = np.interp(np.linspace(0, 1, len(line)), np.linspace(0, 1, len(widths)), widths)
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], -1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    outline = np.vstack([line + normal * w[:, None] / 2, (line - normal * w[:, None] / 2)[::-1]])
    area = mask(outline, smooth=False)
    for end, width in ((line[0], w[0]), (line[-1], w[-1])):
        area = ImageChops.lighter(area, ellipse_mask(*end, width / 2, width / 2))
    paint(image, area, colour)
    shade(image, area, light=(-0.008, -0.008), dark=dark, bright=0.12, blur=0.012)
    return area


def grain(image, seed, strength=3):
    rng = np.random.default_rng(seed)
    rgb = np.asarray(image, float) + rng.normal(0, strength, (image.height, image.width, 1))
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))


def sky(seed, top=(70, 125, 195), low=(190, 215, 235), cloud=0.7):
    image = gradient([(0, top), (1, low)])
    amount = np.clip((clouds(seed) - 0.5) * 2.2, 0, 1) * cloud * 255
    image.paste((245, 247, 250), mask=Image.fromarray(amount.astype(np.uint8)))
    return image


def meadow(seed, horizon, grass=(96, 124, 52), far=(58, 84, 48)):
    """Grass up to `horizon`, a blurred row of trees, a pale sky."""
    image = sky(seed, (150, 185, 220), (215, 228, 235), 0.5)
    rng = np.random.default_rng(seed)
    xs = np.linspace(-0.1, 1.1, 26)
    trees = [(x, horizon - 0.13 - 0.09 * rng.random()) for x in xs] + [(1.1, horizon + 0.06), (-0.1, horizon + 0.06)]
    area = shape(image, trees, far, blur=0.008)
    texture(image, area, seed + 1, 0.5, start=10)
    ground = mask([(-1, horizon), (2, horizon), (2, 2), (-1, 2)], smooth=False, blur=0.006)
    bright, dark = np.array(grass) * 1.15, np.array(grass) * 0.7
    image.paste(gradient([(horizon, bright), (1, dark)]), mask=ground)
    texture(image, ground, seed + 2, 0.35, start=24)
    return image


def airplane():
    image = sky(3, (72, 128, 200), (165, 200, 232), 0.5)
    grey, white, dark = (205, 211, 219), (238, 241, 245), (120, 128, 140)
    # The far wing and tailplane, the body, the near wing with engines, the fin.
    shape(image, [(0.47, 0.47), (0.58, 0.45), (0.66, 0.25), (0.61, 0.25)], grey, smooth=False)
    body = shape(
        image,
        [(0.05, 0.535), (0.09, 0.495), (0.18, 0.465), (0.4, 0.445), (0.7, 0.43), (0.88, 0.41), (0.94, 0.405), (0.92, 0.43),
         (0.78, 0.49), (0.6, 0.535), (0.4, 0.56), (0.2, 0.575), (0.1, 0.57)],
        white,
    )
    shade(image, body, light=(0, -0.025), dark=0.55, bright=0.3, blur=0.02)
    shape(image, [(0.75, 0.44), (0.86, 0.425), (0.955, 0.24), (0.895, 0.245)], (40, 80, 160), smooth=False)
    shape(image, [(0.8, 0.445), (0.9, 0.43), (0.985, 0.5), (0.94, 0.505)], dark, smooth=False)
    for i in range(20):
        x = 0.17 + 0.029 * i
        y = 0.5 - 0.055 * (x - 0.17)
        paint(image, ellipse_mask(x, y, 0.006, 0.008), (60, 75, 100))
    shape(image, [(0.075, 0.515), (0.1, 0.495), (0.125, 0.5), (0.115, 0.52)], (45, 55, 75))
    wing = shape(image, [(0.36, 0.53), (0.55, 0.515), (0.78, 0.74), (0.735, 0.75)], grey, smooth=False)
    shade(image, wing, light=(-0.02, -0.02), dark=0.5, bright=0.3, blur=0.02)
    for x, y in ((0.44, 0.61), (0.56, 0.69)):
        engine = shape(image, [(x - 0.055, y), (x - 0.05, y - 0.025), (x + 0.04, y - 0.022), (x + 0.06, y), (x + 0.04, y + 0.026), (x - 0.05, y + 0.026)], (225, 228, 233))
        shade(image, engine, light=(0, -0.015), dark=0.6, blur=0.012)
        paint(image, ellipse_mask(x - 0.05, y, 0.011, 0.023), (50, 55, 65))
    return image


def ship():
    image = sky(11, (120, 165, 210), (220, 230, 238), 0.6)
    sea = mask([(-1, 0.6), (2, 0.6), (2, 2), (-1, 2)], smooth=False, blur=0.002)
    image.paste(gradient([(0.6, (95, 135, 165)), (1, (25, 60, 95))]), mask=sea)
    texture(image, sea, 5, 0.35, octaves=6, stretch=1, start=20)
    reflection = mask([(0.08, 0.67), (0.93, 0.67), (0.85, 0.8), (0.16, 0.8)], smooth=False, blur=0.02)
    paint(image, reflection, (18, 30, 48), 0.6)
    hull = shape(image, [(0.03, 0.52), (0.12, 0.54), (0.88, 0.54), (0.97, 0.5), (0.9, 0.69), (0.12, 0.69)], (28, 42, 74), smooth=False)
    shade(image, hull, light=(0, -0.02), dark=0.4, bright=0.15)
    paint(image, ImageChops.multiply(hull, mask([(0, 0.655), (1, 0.655), (1, 0.72), (0, 0.72)], smooth=False)), (150, 42, 38))
    paint(image, ImageChops.multiply(hull, mask([(0, 0.5), (1, 0.5), (1, 0.55), (0, 0.55)], smooth=False)), (228, 232, 236))
    for x0, y0, x1, y1 in ((0.2, 0.45, 0.8, 0.54), (0.25, 0.38, 0.74, 0.46), (0.3, 0.31, 0.6, 0.39)):
        deck = shape(image, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], (240, 242, 244), smooth=False)
        shade(image, deck, light=(0, -0.01), dark=0.3, blur=0.01)
        for i in range(int((x1 - x0) / 0.045)):
            x = x0 + 0.025 + 0.045 * i
            shape(image, [(x, y0 + 0.025), (x + 0.022, y0 + 0.025), (x + 0.022, y0 + 0.05), (x, y0 + 0.05)], (60, 85, 115), smooth=False)
    for x in (0.42, 0.54):
        funnel = shape(image, [(x, 0.32), (x + 0.012, 0.19), (x + 0.075, 0.19), (x + 0.08, 0.32)], (200, 60, 45), smooth=False)
        shade(image, funnel, light=(-0.02, 0), dark=0.5, blur=0.02)
        shape(image, [(x + 0.011, 0.19), (x + 0.075, 0.19), (x + 0.076, 0.22), (x + 0.009, 0.22)], (25, 25, 30), smooth=False)
    draw = ImageDraw.Draw(image)
    for x, top in ((0.17, 0.2), (0.84, 0.24)):
        draw.line([(x * N, top * N), (x * N, 0.54 * N)], fill=(70, 70, 75), width=N // 140)
    foam = mask([(0.1, 0.685), (0.92, 0.685), (0.99, 0.705), (0.05, 0.705)], smooth=False, blur=0.006)
    paint(image, foam, (235, 242, 246), 0.8)
    return image


def road(seed, horizon=0.5, tint=(150, 180, 210)):
    image = sky(seed, tint, (225, 230, 235), 0.5)
    rng = np.random.default_rng(seed)
    xs = np.linspace(-0.1, 1.1, 18)
    trees = [(x, horizon - 0.1 - 0.15 * rng.random()) for x in xs] + [(1.1, horizon + 0.1), (-0.1, horizon + 0.1)]
    area = shape(image, trees, (72, 96, 62), blur=0.01)
    texture(image, area, seed + 1, 0.5, start=10)
    ground = mask([(-1, horizon + 0.06), (2, horizon + 0.06), (2, 2), (-1, 2)], smooth=False, blur=0.004)
    image.paste(gradient([(horizon, (150, 150, 150)), (1, (100, 100, 104))]), mask=ground)
    texture(image, ground, seed + 3, 0.1, start=40)
    return image


def wheel(image, x, y, r):
    paint(image, ellipse_mask(x, y, r, r), (22, 22, 25))
    paint(image, ellipse_mask(x, y, r * 0.64, r * 0.64), (178, 182, 188))
    paint(image, ellipse_mask(x, y, r * 0.5, r * 0.5), (110, 114, 122))
    for i in range(5):
        a = i * 2 * np.pi / 5 + 0.3
        limb(image, [(x, y), (x + 0.3 * r * np.cos(a), y + 0.3 * r * np.sin(a)), (x + 0.58 * r * np.cos(a), y + 0.58 * r * np.sin(a))], [r * 0.2, r * 0.16], (190, 194, 200))


def automobile():
    image = road(21, 0.42)
    paint(image, ellipse_mask(0.5, 0.77, 0.46, 0.04, blur=0.02), (20, 20, 22), 0.8)
    red = (190, 28, 32)
    body = shape(
        image,
        [(0.04, 0.62), (0.06, 0.55), (0.14, 0.52), (0.25, 0.5), (0.34, 0.41), (0.42, 0.365), (0.56, 0.355), (0.68, 0.375),
         (0.79, 0.48), (0.9, 0.51), (0.96, 0.56), (0.965, 0.66), (0.94, 0.72), (0.8, 0.735), (0.5, 0.74), (0.2, 0.735), (0.06, 0.72)],
        red,
    )
    shade(image, body, light=(0, -0.035), dark=0.55, bright=0.3, blur=0.03)
    glass = (48, 60, 75)
    shape(image, [(0.3, 0.5), (0.37, 0.425), (0.43, 0.395), (0.5, 0.39), (0.5, 0.5)], glass, smooth=False)
    shape(image, [(0.525, 0.39), (0.65, 0.4), (0.745, 0.49), (0.525, 0.5)], glass, smooth=False)
    shape(image, [(0.33, 0.49), (0.42, 0.41), (0.45, 0.405), (0.38, 0.49)], (150, 170, 190), smooth=False, opacity=0.5, blur=0.004)
    draw = ImageDraw.Draw(image)
    for line in ([(0.512, 0.39), (0.515, 0.7)], [(0.28, 0.51), (0.27, 0.69)], [(0.76, 0.5), (0.755, 0.62)]):
        draw.line(straight(line), fill=(110, 12, 16), width=N // 200)
    draw.line(straight([(0.08, 0.6), (0.94, 0.585)]), fill=(225, 80, 80), width=N // 180)
    shape(image, [(0.05, 0.575), (0.11, 0.55), (0.13, 0.58), (0.06, 0.6)], (245, 240, 215))
    shape(image, [(0.935, 0.565), (0.962, 0.575), (0.962, 0.62), (0.94, 0.615)], (120, 8, 12), smooth=False)
    shape(image, [(0.035, 0.665), (0.13, 0.665), (0.13, 0.7), (0.05, 0.7)], (35, 35, 38), smooth=False)
    for x in (0.23, 0.78):
        paint(image, ellipse_mask(x, 0.7, 0.098, 0.098), (25, 10, 12))
        wheel(image, x, 0.705, 0.086)
    return image


def truck():
    image = road(33, 0.44, (140, 175, 215))
    paint(image, ellipse_mask(0.5, 0.81, 0.48, 0.03, blur=0.02), (20, 20, 22), 0.8)
    box = shape(image, [(0.36, 0.2), (0.97, 0.2), (0.97, 0.66), (0.36, 0.66)], (236, 237, 238), smooth=False)
    shade(image, box, light=(0, -0.03), dark=0.35, bright=0.2, blur=0.03)
    draw = ImageDraw.Draw(image)
    for i in range(1, 8):
        x = 0.36 + 0.076 * i
        draw.line(straight([(x, 0.21), (x, 0.65)]), fill=(200, 202, 206), width=N // 260)
    shape(image, [(0.36, 0.2), (0.97, 0.2), (0.97, 0.225), (0.36, 0.225)], (150, 155, 162), smooth=False)
    shape(image, [(0.06, 0.66), (0.97, 0.66), (0.97, 0.72), (0.06, 0.72)], (45, 46, 50), smooth=False)
    cab = shape(image, [(0.05, 0.74), (0.045, 0.53), (0.08, 0.5), (0.13, 0.31), (0.17, 0.28), (0.335, 0.28), (0.335, 0.74)], (30, 78, 160), smooth=False)
    shade(image, cab, light=(0, -0.03), dark=0.5, bright=0.25, blur=0.03)
    shape(image, [(0.105, 0.49), (0.15, 0.33), (0.2, 0.325), (0.2, 0.49)], (50, 62, 78), smooth=False)
    shape(image, [(0.215, 0.325), (0.31, 0.325), (0.31, 0.49), (0.215, 0.49)], (50, 62, 78), smooth=False)
    draw.line(straight([(0.208, 0.3), (0.208, 0.72)]), fill=(15, 45, 100), width=N // 220)
    shape(image, [(0.045, 0.6), (0.08, 0.59), (0.085, 0.64), (0.047, 0.65)], (245, 240, 215))
    shape(image, [(0.03, 0.7), (0.2, 0.7), (0.2, 0.755), (0.03, 0.755)], (190, 194, 200), smooth=False)
    for x in (0.19, 0.66, 0.83):
        paint(image, ellipse_mask(x, 0.745, 0.088, 0.088), (20, 22, 26))
        wheel(image, x, 0.755, 0.076)
    return image


def frog():
    image = gradient([(0, (60, 70, 40)), (1, (100, 88, 58))])
    texture(image, Image.new("L", (N, N), 255), 8, 0.5, start=5)
    image = image.filter(ImageFilter.GaussianBlur(N * 0.006))
    green, belly = (98, 140, 48), (190, 192, 120)
    paint(image, ellipse_mask(0.5, 0.8, 0.42, 0.08, blur=0.03), (25, 22, 14), 0.7)
    limb(image, [(0.72, 0.6), (0.9, 0.68), (0.82, 0.78), (0.93, 0.82)], [0.17, 0.14, 0.07, 0.05], (84, 122, 42))
    limb(image, [(0.26, 0.62), (0.1, 0.68), (0.17, 0.78), (0.06, 0.82)], [0.17, 0.14, 0.07, 0.05], (84, 122, 42))
    body = shape(image, [(0.5, 0.3), (0.66, 0.34), (0.79, 0.5), (0.8, 0.68), (0.66, 0.79), (0.5, 0.81), (0.34, 0.79), (0.2, 0.68), (0.21, 0.5), (0.34, 0.34)], green)
    shade(image, body, light=(0, -0.05), dark=0.5, bright=0.25, blur=0.05)
    shape(image, [(0.5, 0.6), (0.64, 0.62), (0.66, 0.74), (0.5, 0.79), (0.34, 0.74), (0.36, 0.62)], belly, blur=0.015)
    limb(image, [(0.34, 0.64), (0.3, 0.76), (0.34, 0.85)], [0.09, 0.07, 0.05], green)
    limb(image, [(0.66, 0.64), (0.7, 0.76), (0.66, 0.85)], [0.09, 0.07, 0.05], green)
    head = shape(image, [(0.5, 0.24), (0.66, 0.26), (0.77, 0.4), (0.72, 0.53), (0.5, 0.58), (0.28, 0.53), (0.23, 0.4), (0.34, 0.26)], (112, 156, 56))
    shade(image, head, light=(0, -0.03), dark=0.4, bright=0.3, blur=0.03)
    texture(image, ImageChops.lighter(head, body), 19, 0.25, start=16)
    ImageDraw.Draw(image).line(curve([(0.27, 0.46), (0.38, 0.51), (0.5, 0.52), (0.62, 0.51), (0.73, 0.46)], closed=False), fill=(48, 62, 22), width=N // 90)
    for x in (0.34, 0.66):
        bump = ellipse_mask(x, 0.27, 0.088, 0.085)
        paint(image, bump, (112, 156, 56))
        shade(image, bump, dark=0.4, bright=0.3)
        paint(image, ellipse_mask(x, 0.26, 0.06, 0.056), (214, 176, 60))
        paint(image, ellipse_mask(x, 0.26, 0.042, 0.03), (14, 14, 10))
        paint(image, ellipse_mask(x - 0.018, 0.245, 0.011, 0.011), (250, 250, 250))
    return image


def cat():
    image = gradient([(0, (176, 160, 142)), (0.62, (150, 130, 112)), (0.66, (120, 84, 58)), (1, (92, 62, 42))])
    image = image.filter(ImageFilter.GaussianBlur(N * 0.01))
    fur, light, stripe = (150, 128, 104), (226, 214, 196), (72, 58, 46)
    body = shape(image, [(0.5, 0.5), (0.68, 0.58), (0.8, 0.8), (0.82, 1.1), (0.18, 1.1), (0.2, 0.8), (0.32, 0.58)], fur)
    shade(image, body, light=(0, -0.04), dark=0.45, bright=0.15, blur=0.05)
    shape(image, [(0.5, 0.66), (0.61, 0.72), (0.62, 1.05), (0.38, 1.05), (0.39, 0.72)], light, blur=0.02)
    for side in (-1, 1):
        at = lambda x, y: (0.5 + side * x, y)
        ear = shape(image, [at(0.29, 0.07), at(0.305, 0.34), at(0.09, 0.23)], fur, smooth=False)
        shade(image, ear, dark=0.3, bright=0.1)
        shape(image, [at(0.265, 0.135), at(0.275, 0.3), at(0.15, 0.235)], (206, 150, 140), smooth=False, blur=0.006)
    head = shape(image, [(0.5, 0.2), (0.66, 0.23), (0.79, 0.36), (0.81, 0.5), (0.72, 0.63), (0.58, 0.71), (0.5, 0.72), (0.42, 0.71), (0.28, 0.63), (0.19, 0.5), (0.21, 0.36), (0.34, 0.23)], fur)
    shade(image, head, light=(0, -0.03), dark=0.4, bright=0.2, blur=0.04)
    area = ImageChops.lighter(head, body)
    texture(image, area, 4, 0.25, start=32)
    draw = ImageDraw.Draw(image)
    for side in (-1, 1):
        at = lambda x, y: (0.5 + side * x, y)
        for x0, y0, x1, y1 in ((0.03, 0.2, 0.035, 0.33), (0.09, 0.215, 0.085, 0.32), (0.3, 0.44, 0.2, 0.47), (0.305, 0.51, 0.2, 0.52), (0.27, 0.8, 0.16, 0.83), (0.29, 0.9, 0.17, 0.92), (0.24, 0.7, 0.15, 0.76)):
            limb(image, [at(x0, y0), at((x0 + x1) / 2, (y0 + y1) / 2 + 0.008), at(x1, y1)], [0.03, 0.012], stripe, dark=0)
        shape(image, [at(0.0, 0.53), at(0.1, 0.53), at(0.15, 0.6), at(0.08, 0.67), at(0.0, 0.65)], light, blur=0.008)
        shape(image, [at(0.07, 0.43), at(0.13, 0.385), at(0.2, 0.4), at(0.205, 0.44), at(0.14, 0.465)], (40, 32, 26))
        shape(image, [at(0.083, 0.43), at(0.135, 0.395), at(0.19, 0.408), at(0.193, 0.436), at(0.14, 0.455)], (168, 176, 70))
        paint(image, ellipse_mask(*at(0.137, 0.425), 0.014, 0.03), (10, 10, 8))
        paint(image, ellipse_mask(*at(0.128, 0.412), 0.008, 0.008), (250, 250, 250))
        for dy in (-0.03, 0.0, 0.03):
            draw.line(curve([at(0.07, 0.6 + dy / 2), at(0.2, 0.59 + dy), at(0.36, 0.61 + 2 * dy)], closed=False), fill=(240, 236, 230), width=N // 300)
    shape(image, [(0.46, 0.54), (0.54, 0.54), (0.5, 0.585)], (200, 120, 112))
    draw.line(curve([(0.43, 0.625), (0.47, 0.635), (0.5, 0.6), (0.53, 0.635), (0.57, 0.625)], closed=False), fill=(80, 56, 46), width=N // 160)
    return image


def horse():
    image = meadow(41, 0.6)
    brown, dark, mane = (122, 70, 38), (92, 50, 28), (34, 22, 16)
    paint(image, ellipse_mask(0.52, 0.93, 0.36, 0.03, blur=0.02), (30, 40, 15), 0.6)
    for x, bend, colour in ((0.4, -0.02, dark), (0.78, 0.02, dark)):
        limb(image, [(x, 0.58), (x + bend, 0.74), (x, 0.92)], [0.09, 0.05, 0.035], colour)
    limb(image, [(0.86, 0.44), (0.93, 0.5), (0.94, 0.62), (0.91, 0.74)], [0.04, 0.07, 0.06, 0.02], mane)
    body = shape(image, [(0.34, 0.42), (0.46, 0.395), (0.6, 0.42), (0.74, 0.39), (0.85, 0.43), (0.88, 0.52), (0.82, 0.62), (0.66, 0.64), (0.5, 0.655), (0.36, 0.62), (0.3, 0.52)], brown)
    shade(image, body, light=(0, -0.04), dark=0.5, bright=0.2, blur=0.04)
    neck = shape(image, [(0.3, 0.55), (0.24, 0.42), (0.2, 0.28), (0.24, 0.17), (0.31, 0.16), (0.4, 0.28), (0.5, 0.41), (0.44, 0.52)], brown)
    shade(image, neck, light=(-0.02, -0.02), dark=0.4, bright=0.15, blur=0.03)
    head = shape(image, [(0.3, 0.15), (0.29, 0.24), (0.22, 0.31), (0.13, 0.38), (0.075, 0.375), (0.07, 0.33), (0.13, 0.26), (0.18, 0.18), (0.23, 0.14)], brown)
    shade(image, head, light=(-0.02, -0.02), dark=0.4, bright=0.15, blur=0.02)
    for x in (0.235, 0.285):
        shape(image, [(x - 0.02, 0.16), (x, 0.07), (x + 0.025, 0.16)], brown, smooth=False)
    shape(image, [(0.26, 0.1), (0.33, 0.14), (0.42, 0.27), (0.51, 0.4), (0.44, 0.4), (0.36, 0.3), (0.29, 0.2)], mane)
    paint(image, ellipse_mask(0.19, 0.215, 0.013, 0.012), (12, 8, 6))
    paint(image, ellipse_mask(0.092, 0.345, 0.01, 0.012), (30, 16, 10))
    for x, bend in ((0.345, 0.01), (0.83, 0.03)):
        limb(image, [(x, 0.55), (x + bend, 0.74), (x - bend, 0.94)], [0.13, 0.055, 0.038], brown)
        paint(image, ellipse_mask(x - bend, 0.945, 0.028, 0.018), (25, 18, 14))
    return image


def deer():
    image = meadow(52, 0.52, grass=(122, 128, 58), far=(48, 66, 38))
    fur, dark, pale = (158, 108, 64), (116, 78, 46), (224, 206, 180)
    paint(image, ellipse_mask(0.52, 0.93, 0.33, 0.025, blur=0.02), (40, 40, 15), 0.6)
    for x, bend in ((0.42, -0.01), (0.77, 0.015)):
        limb(image, [(x, 0.6), (x + bend, 0.76), (x, 0.92)], [0.06, 0.032, 0.022], dark)
    body = shape(image, [(0.36, 0.47), (0.48, 0.455), (0.62, 0.46), (0.76, 0.45), (0.84, 0.5), (0.84, 0.58), (0.76, 0.65), (0.58, 0.655), (0.42, 0.65), (0.33, 0.57)], fur)
    shade(image, body, light=(0, -0.035), dark=0.45, bright=0.2, blur=0.035)
    shape(image, [(0.81, 0.48), (0.87, 0.5), (0.87, 0.57), (0.83, 0.57)], pale)
    neck = shape(image, [(0.33, 0.6), (0.29, 0.5), (0.26, 0.38), (0.28, 0.3), (0.35, 0.3), (0.39, 0.4), (0.46, 0.47), (0.42, 0.58)], fur)
    shade(image, neck, light=(-0.02, -0.02), dark=0.35, bright=0.15, blur=0.02)
    head = shape(image, [(0.35, 0.27), (0.34, 0.33), (0.27, 0.37), (0.19, 0.41), (0.145, 0.4), (0.15, 0.37), (0.2, 0.32), (0.26, 0.26), (0.31, 0.245)], fur)
    shade(image, head, dark=0.35, bright=0.15, blur=0.02)
    shape(image, [(0.34, 0.27), (0.4, 0.23), (0.44, 0.235), (0.41, 0.285), (0.36, 0.3)], dark)
    paint(image, ellipse_mask(0.155, 0.385, 0.016, 0.014), (20, 16, 14))
    paint(image, ellipse_mask(0.26, 0.305, 0.013, 0.012), (14, 10, 8))
    bone = (112, 88, 62)
    for dx, lean in ((0.0, -0.05), (0.045, 0.06)):
        limb(image, [(0.3 + dx, 0.255), (0.3 + dx + lean, 0.17), (0.31 + dx + 2.2 * lean, 0.05)], [0.024, 0.018, 0.01], bone)
        limb(image, [(0.3 + dx + 0.8 * lean, 0.18), (0.27 + dx + 0.4 * lean, 0.13), (0.25 + dx + 0.6 * lean, 0.07)], [0.016, 0.013, 0.008], bone)
        limb(image, [(0.305 + dx + 1.5 * lean, 0.11), (0.34 + dx + 1.5 * lean, 0.08), (0.36 + dx + 1.8 * lean, 0.03)], [0.015, 0.012, 0.007], bone)
    for x, bend in ((0.375, 0.005), (0.81, 0.02)):
        limb(image, [(x, 0.57), (x + bend, 0.76), (x - bend, 0.94)], [0.085, 0.036, 0.024], fur)
    return image


def bird():
    image = gradient([(0, (140, 168, 130)), (1, (178, 186, 140))])
    texture(image, Image.new("L", (N, N), 255), 61, 0.25, start=3)
    image = image.filter(ImageFilter.GaussianBlur(N * 0.02))
    limb(image, [(-0.05, 0.86), (0.3, 0.82), (0.7, 0.84), (1.05, 0.79)], [0.06, 0.05, 0.045], (96, 72, 52))
    back, breast, wing = (84, 92, 110), (208, 116, 62), (58, 64, 80)
    limb(image, [(0.66, 0.56), (0.82, 0.68), (0.97, 0.8)], [0.16, 0.1, 0.07], wing)
    for x in (0.45, 0.53):
        limb(image, [(x, 0.72), (x + 0.01, 0.78), (x, 0.83)], [0.022, 0.016], (70, 50, 36))
    body = shape(image, [(0.3, 0.36), (0.42, 0.33), (0.56, 0.42), (0.7, 0.54), (0.74, 0.62), (0.62, 0.73), (0.48, 0.76), (0.34, 0.7), (0.26, 0.56)], breast)
    shade(image, body, light=(0.01, -0.04), dark=0.4, bright=0.2, blur=0.04)
    shape(image, [(0.46, 0.7), (0.58, 0.66), (0.7, 0.6), (0.7, 0.66), (0.58, 0.74), (0.48, 0.76)], (222, 214, 204), blur=0.01)
    cover = shape(image, [(0.44, 0.36), (0.56, 0.4), (0.7, 0.51), (0.84, 0.66), (0.74, 0.68), (0.58, 0.62), (0.45, 0.52)], back)
    shade(image, cover, light=(0, -0.03), dark=0.4, bright=0.2, blur=0.02)
    for i in range(4):
        limb(image, [(0.5 + 0.03 * i, 0.5 + 0.03 * i), (0.64 + 0.02 * i, 0.57 + 0.022 * i), (0.8 - 0.02 * i, 0.67 + 0.004 * i)], [0.012, 0.01, 0.004], wing, dark=0)
    head = shape(image, [(0.26, 0.44), (0.2, 0.35), (0.22, 0.24), (0.32, 0.18), (0.43, 0.21), (0.5, 0.31), (0.48, 0.41), (0.38, 0.47)], back)
    shade(image, head, dark=0.35, bright=0.25, blur=0.02)
    shape(image, [(0.215, 0.33), (0.3, 0.35), (0.36, 0.42), (0.3, 0.47), (0.25, 0.44)], breast, blur=0.008)
    shape(image, [(0.215, 0.275), (0.115, 0.32), (0.215, 0.335)], (58, 48, 40), smooth=False)
    paint(image, ellipse_mask(0.3, 0.275, 0.026, 0.026), (16, 14, 12))
    paint(image, ellipse_mask(0.291, 0.266, 0.008, 0.008), (255, 255, 255))
    return image


def dog():
    image = meadow(71, 0.42, grass=(104, 138, 66))
    image = image.filter(ImageFilter.GaussianBlur(N * 0.006))
    fur, dark, pale = (196, 152, 96), (150, 104, 58), (236, 216, 184)
    body = shape(image, [(0.5, 0.52), (0.68, 0.6), (0.78, 0.8), (0.8, 1.1), (0.2, 1.1), (0.22, 0.8), (0.32, 0.6)], fur)
    shade(image, body, light=(0, -0.04), dark=0.4, bright=0.15, blur=0.05)
    shape(image, [(0.5, 0.62), (0.6, 0.7), (0.6, 1.05), (0.4, 1.05), (0.4, 0.7)], pale, blur=0.02)
    head = shape(image, [(0.5, 0.16), (0.64, 0.18), (0.73, 0.3), (0.72, 0.44), (0.64, 0.55), (0.61, 0.66), (0.5, 0.7), (0.39, 0.66), (0.36, 0.55), (0.28, 0.44), (0.27, 0.3), (0.36, 0.18)], fur)
    shade(image, head, light=(0, -0.03), dark=0.35, bright=0.2, blur=0.03)
    texture(image, ImageChops.lighter(head, body), 17, 0.18, start=32)
    for side in (-1, 1):
        at = lambda x, y: (0.5 + side * x, y)
        ear = shape(image, [at(0.17, 0.18), at(0.27, 0.22), at(0.34, 0.38), at(0.33, 0.52), at(0.26, 0.53), at(0.22, 0.4), at(0.2, 0.28)], dark)
        shade(image, ear, dark=0.35, bright=0.15, blur=0.02)
        paint(image, ellipse_mask(*at(0.105, 0.36), 0.036, 0.034), (46, 28, 16))
        paint(image, ellipse_mask(*at(0.097, 0.35), 0.01, 0.01), (250, 250, 250))
    muzzle = shape(image, [(0.5, 0.38), (0.58, 0.44), (0.63, 0.54), (0.58, 0.63), (0.5, 0.65), (0.42, 0.63), (0.37, 0.54), (0.42, 0.44)], pale, blur=0.006)
    shade(image, muzzle, dark=0.25, bright=0.1)
    shape(image, [(0.43, 0.46), (0.5, 0.44), (0.57, 0.46), (0.54, 0.52), (0.5, 0.54), (0.46, 0.52)], (28, 22, 20))
    paint(image, ellipse_mask(0.48, 0.465, 0.018, 0.008), (120, 112, 108))
    shape(image, [(0.45, 0.6), (0.5, 0.595), (0.55, 0.6), (0.545, 0.69), (0.5, 0.72), (0.455, 0.69)], (214, 96, 104))
    draw = ImageDraw.Draw(image)
    draw.line(curve([(0.4, 0.585), (0.45, 0.605), (0.5, 0.57), (0.55, 0.605), (0.6, 0.585)], closed=False), fill=(60, 38, 28), width=N // 130)
    return image


SCENES = [airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck]


def main():
    wanted = sys.argv[1:]
    for number, scene in enumerate(SCENES):
        if wanted and scene.__name__ not in wanted:
            continue
        picture = scene().resize((SIZE, SIZE), Image.Resampling.LANCZOS)
        grain(picture, number).save(HERE / f"{scene.__name__}.webp", quality=48, method=6)


if __name__ == "__main__":
    main()
