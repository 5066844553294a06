"""Small image files of every variant, and what Pillow makes of those that are read.

    python make_images.py        (numpy, Pillow 13.0.0; seed 11; writes beside itself)

PNG and BMP are written here byte by byte (no library's encoder), JPEG by Pillow from a crop of
../photos/4.jpg. Lines of images.txt: `NAME WIDTH HEIGHT HASH`, HASH being 64-bit FNV-1a of
Image.open(NAME).convert("RGB"). Pillow's pixels of X.jpg are stored in X.jpg.png. The files
refused-* are not read; test_image.c says why.
"""
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
WIDTH, HEIGHT = 13, 9
random = np.random.default_rng(11)
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def filtered(rows, step):
    """Each row with another of the five filters."""
    out, above = b"", bytes(len(rows[0]))
    for y, row in enumerate(rows):
        left = lambda i, r: r[i - step] if i >= step else 0
        guess = [
            lambda i: 0,
            lambda i: left(i, row),
            lambda i: above[i],
            lambda i: (left(i, row) + above[i]) // 2,
            lambda i: paeth(left(i, row), above[i], left(i, above)),
        ][(y + 3) % 5]
        out += bytes([(y + 3) % 5]) + bytes((row[i] - guess(i)) & 255 for i in range(len(row)))
        above = row
    return out


def pack(samples, depth):
    """[width][channels] -> the bytes of a row."""
    if depth == 16:
        return samples.astype(">u2").tobytes()
    bits = np.unpackbits(samples.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth :]
    return np.packbits(bits).tobytes()


def scan(pixels, depth):
    return filtered([pack(row, depth) for row in pixels], max(1, pixels.shape[2] * depth // 8))


def png(name, color, depth, extra=b"", interlaced=False, top=None):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    pixels = random.integers(0, top or 1 << depth, (HEIGHT, WIDTH, channels))
    passes = [pixels[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [pixels]
    data = zlib.compress(b"".join(scan(p, depth) for p in passes))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, color, 0, 0, interlaced)
    half = len(data) // 2
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", data[:half]) + chunk(b"IDAT", data[half:])
    (HERE / name).write_bytes(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))


def palette(entries):
    return chunk(b"PLTE", random.integers(0, 256, entries * 3, dtype=np.uint8).tobytes())


def bmp(name, bits, header=40, colors=0, top_down=False, masks=(), values=None, compression=0):
    compression = 3 if masks else compression
    masked = struct.pack(f"<{len(masks)}I", *masks)
    if header == 12:
        info = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        height = -HEIGHT if top_down else HEIGHT
        info = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, 0, 0, 0, colors, 0)
        info += (masked if header > 40 else b"").ljust(header - 40, b"\0") + (masked if header == 40 else b"")
    table = random.integers(0, 256, (colors, 4), dtype=np.uint8).tobytes()
    rows = b""
    for _ in range(HEIGHT):
        depth = min(bits, 8)
        row = pack(random.integers(0, values or 1 << depth, (WIDTH * bits // depth, 1)), depth)
        rows += row + bytes(-len(row) % 4)
    offset = 14 + len(info) + len(table)
    head = b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset)
    (HERE / name).write_bytes(head + info + table + rows)


def make_png():
    for depth in (1, 2, 4, 8, 16):
        png(f"gray{depth}.png", 0, depth)
        png(f"gray{depth}-interlaced.png", 0, depth, interlaced=True)
    png("gray16-dark.png", 0, 16, top=400)
    png("gray8-key.png", 0, 8, chunk(b"tRNS", struct.pack(">H", 77)))
    png("gray16-key.png", 0, 16, chunk(b"tRNS", struct.pack(">H", 77)), top=400)
    for depth in (8, 16):
        for color, name in ((2, "rgb"), (4, "gray-alpha"), (6, "rgba")):
            png(f"{name}{depth}.png", color, depth)
            png(f"{name}{depth}-interlaced.png", color, depth, interlaced=True)
        png(f"rgb{depth}-key.png", 2, depth, chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)))
    png("rgb8-hint.png", 2, 8, palette(5) + chunk(b"tEXt", b"Comment\0a chunk that says nothing"))
    for depth in (1, 2, 4, 8):
        png(f"indexed{depth}.png", 3, depth, palette(1 << depth))
    png("indexed4-interlaced.png", 3, 4, palette(16), interlaced=True)
    png("indexed8-alpha.png", 3, 8, palette(256) + chunk(b"tRNS", bytes(range(100))))
    png("indexed8-short.png", 3, 8, palette(100))  # indices past the palette
    png("indexed8-short-alpha.png", 3, 8, palette(100) + chunk(b"tRNS", bytes(range(50))))


def make_bmp():
    usual = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    for bits in (1, 4, 8):
        bmp(f"indexed{bits}.bmp", bits, colors=1 << bits)
    bmp("indexed8-short.bmp", 8, colors=100, values=100)
    bmp("indexed8-top.bmp", 8, colors=256, top_down=True)
    bmp("rgb24.bmp", 24)
    bmp("rgb24-top.bmp", 24, top_down=True)
    bmp("rgb24-v5.bmp", 24, header=124)
    bmp("rgb32.bmp", 32)
    bmp("rgb32-masks.bmp", 32, masks=usual[:3])
    bmp("rgb32-v4.bmp", 32, header=108, masks=usual)
    bmp("rgb32-v5.bmp", 32, header=124, masks=usual)
    bmp("refused-index.bmp", 8, colors=100)  # indices past the palette
    bmp("refused-core.bmp", 24, header=12)
    bmp("refused-rgb16.bmp", 16)
    bmp("refused-masks.bmp", 32, masks=(0xFF, 0xFF00, 0xFF0000))
    bmp("refused-rle.bmp", 8, colors=256, compression=1)
    for bits in (8, 24, 32):
        bmp(f"v3-{bits}.bmp", bits, header=56, colors=256 if bits == 8 else 0)


def make_jpeg():
    photo = Image.open(HERE / "../photos/4.jpg").convert("RGB").crop((90, 80, 90 + 61, 80 + 43))
    photo.save(HERE / "444.jpg", quality=85, subsampling=0)
    photo.save(HERE / "422.jpg", quality=85, subsampling=1)
    photo.save(HERE / "420.jpg", quality=85, subsampling=2)
    photo.save(HERE / "progressive.jpg", quality=85, subsampling=2, progressive=True)
    photo.save(HERE / "restart.jpg", quality=85, subsampling=2, restart_marker_blocks=3)
    photo.convert("L").save(HERE / "gray.jpg", quality=85)
    for path in sorted(HERE.glob("*.jpg")):
        Image.open(path).convert("RGB").save(f"{path}.png", optimize=True)
    photo.crop((0, 0, 9, 7)).convert("CMYK").save(HERE / "refused-cmyk.jpg")


def make_bomb():
    """One pixel that inflates to 16 MiB."""
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body += chunk(b"IDAT", zlib.compress(bytes(1 << 24), 9)) + chunk(b"IEND", b"")
    (HERE / "refused-bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def main():
    for old in (*HERE.glob("*.png"), *HERE.glob("*.bmp"), *HERE.glob("*.jpg")):
        old.unlink()
    make_png()
    make_bmp()
    exact = sorted([*HERE.glob("*.png"), *HERE.glob("*.bmp")])
    make_jpeg()
    make_bomb()
    with open(HERE / "images.txt", "w") as out:
        for path in exact:
            if not path.name.startswith("refused"):
                image = Image.open(path).convert("RGB")
                print(path.name, *image.size, f"{fnv1a(image.tobytes()):016x}", file=out)


main()
