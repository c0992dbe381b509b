#!/usr/bin/env bash
# Pillow 13.0.0 (PyPI): a 16-bit greyscale PNG opens as mode "I;16", and convert("L") or convert("RGB") clips each value at 255, so
# that nearly every picture comes out white. The same values in a 16-bit RGB PNG, or grey with alpha, come out as their upper byte.
# One would expect one rule for both. A data loader that ends in .convert("RGB") trains on white squares without a word.
#
# Seen:
#   grey        I;16 [0, 255, 255, 255, 255, 255]
#   grey, alpha RGBA [0, 0, 1, 3, 128, 255]
#   colour      RGB  [0, 0, 1, 3, 128, 255]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet install pillow==13.0.0
"$work/venv/bin/python" - <<'PY'
import io, struct, zlib
from PIL import Image

VALUES = [0, 255, 256, 1000, 32768, 65535]

def png(colour_type, pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", len(pixels), 1, 16, colour_type, 0, 0, 0)
    row = b"\0" + b"".join(struct.pack(">H", value) for pixel in pixels for value in pixel)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")

def seen(colour_type, pixels):
    picture = Image.open(io.BytesIO(png(colour_type, pixels)))
    return picture.mode, [pixel[0] for pixel in picture.convert("RGB").get_flattened_data()]

grey = seen(0, [(v,) for v in VALUES])
alpha = seen(4, [(v, 65535) for v in VALUES])
colour = seen(2, [(v, v, v) for v in VALUES])
print("grey       ", *grey)
print("grey, alpha", *alpha)
print("colour     ", *colour)
upper = [v >> 8 for v in VALUES]
assert grey == ("I;16", [min(v, 255) for v in VALUES]), "16-bit grey is read in another way now"
assert alpha == ("RGBA", upper) and colour == ("RGB", upper), "16-bit colour is read in another way now"
PY
