"""Deterministic tensors, the same bits here and in tests/device/generator.rs.

A tensor is a function of its name and shape alone, so the repository stores no weights:

- seed: FNV-1a, 64 bits, of the name's UTF-8 bytes;
- element i (row-major): the output of splitmix64 number i for that seed, its upper 24 bits k;
- u = (k - 2^23) / 2^23, exact in f32, in [-1, 1).

What u becomes depends on the name's ending and the rank:

| tensor | value | range |
| --- | --- | --- |
| `weight`, rank 4 (O, I, K, K) | u * sqrt(6 / (I K K)) | keeps the second moment through ReLU |
| `weight`, rank 2 (O, I) | u * sqrt(3 / I) | |
| `weight`, rank 1, inside a block (`layer*.bn*`) | 0.5 + 0.2 u | damps the branch: 1001 layers stay O(1) |
| `weight`, rank 1, elsewhere | 0.75 + 0.25 u | |
| `bias` | 0.1 u | |
| `running_mean` | 0.2 u | |
| `running_var` | 1 + 0.5 u | |
| `input` | u | |

Products and sums are single f32 operations and the square root is taken in f64 and rounded
once, so IEEE 754 fixes every bit.
"""

import math

import numpy as np

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
GOLDEN_GAMMA = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def seed_of(name):
    """FNV-1a of the name, 64 bits."""
    h = FNV_OFFSET
    for byte in name.encode():
        h = ((h ^ byte) * FNV_PRIME) & MASK
    return h


def splitmix(name, count):
    """The first `count` outputs of splitmix64 for the name's seed."""
    i = np.arange(1, count + 1, dtype=np.uint64)
    z = np.uint64(seed_of(name)) + i * np.uint64(GOLDEN_GAMMA)  # wraps, as it must
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(name, count):
    """`count` values in [-1, 1), f32."""
    k = (splitmix(name, count) >> np.uint64(40)).astype(np.int64) - (1 << 23)
    return k.astype(np.float32) / np.float32(1 << 23)


SKETCH = 16


def sketch(values):
    """`SKETCH` sums of a tensor's elements under fixed random signs, in f64.

    Sign k of element i is bit 63 - k of splitmix64's output i for the name "sketch": 1 is minus. The mean square of
    two sketches' difference estimates the squared L2 norm of the tensors' difference without bias
    (Alon, Matias and Szegedy 1999), so a few numbers judge a whole tensor.
    """
    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
    bits = splitmix("sketch", flat.size)
    signs = (1 - 2 * (bits >> np.uint64(63 - k) & np.uint64(1)).astype(np.float64) for k in range(SKETCH))
    return np.array([flat @ s for s in signs])


def tensor(name, shape):
    """The tensor called `name`, f32, row-major."""
    u = uniform(name, math.prod(shape)).reshape(shape)
    f = np.float32
    role = name.rsplit(".", 1)[-1]
    if role == "weight" and len(shape) == 4:
        return u * f(math.sqrt(6.0 / math.prod(shape[1:])))
    if role == "weight" and len(shape) == 2:
        return u * f(math.sqrt(3.0 / shape[1]))
    if role == "weight" and name.startswith("layer") and ".bn" in name:
        return f(0.5) + u * f(0.2)
    if role == "weight":
        return f(0.75) + u * f(0.25)
    if role == "bias":
        return u * f(0.1)
    if role == "running_mean":
        return u * f(0.2)
    if role == "running_var":
        return f(1.0) + u * f(0.5)
    if role == "input":
        return u
    raise ValueError(f"no rule for the tensor {name} of shape {tuple(shape)}")
