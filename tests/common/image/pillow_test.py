"""Pictures as Pillow reads, converts, turns and resizes them, to the last bit: weights that were
published with torchvision were trained on what Pillow gives. Arguments: program, corpus."""

import os
import random
import subprocess
import sys
import tempfile
import time
import unittest

from PIL import Image, ImageOps

PROGRAM, CORPUS = sys.argv.pop(1), sys.argv.pop(1)
SEED = int(os.environ.get("BATON_TEST_SEED", time.time_ns() % 1_000_000))
RANDOM = random.Random(SEED)
MODES = {1: "L", 3: "RGB"}


def ours(requests):
    """For each (file, channels[, height, width, resize]): (height, width, channels, bytes)."""
    lines = "".join(" ".join(str(word) for word in request) + "\n" for request in requests)
    out = subprocess.run([PROGRAM], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    answers = []
    for _ in requests:
        head, out = out.split(b"\n", 1)
        if head.startswith(b"!"):
            answers.append(head.decode())
            continue
        height, width, channels = (int(word) for word in head.split())
        size = height * width * channels
        answers.append((height, width, channels, out[:size]))
        out = out[size:]
    return answers


def theirs(picture):
    return (picture.height, picture.width, len(picture.getbands()), picture.tobytes())


def fitted(picture, height, width, resize):
    """torchvision's Resize and CenterCrop (transforms/functional.py)."""
    if resize == 0:
        return picture.resize((width, height), Image.BILINEAR)
    short = min(picture.size)
    wide, high = (int(resize * extent / short) for extent in picture.size)
    picture = picture.resize((wide, high), Image.BILINEAR)
    top, left = int(round((high - height) / 2.0)), int(round((wide - width) / 2.0))
    return picture.crop((left, top, left + width, top + height))


def noise(mode, width, height):
    count = width * height * len(mode)
    return Image.frombytes(mode, (width, height), RANDOM.randbytes(count))


class PillowTest(unittest.TestCase):
    def setUp(self):
        self.folder_holder = tempfile.TemporaryDirectory(prefix="pillow-")
        self.folder = self.folder_holder.name

    def tearDown(self):
        self.folder_holder.cleanup()

    def path(self, name):
        return os.path.join(self.folder, name)

    def test_files_are_decoded_and_turned_alike(self):
        requests, wanted = [], []
        for name in ("rgb.jpg", "grey.jpg", "cmyk.jpg", "progressive.jpg", "turned.jpg", "rgb.png",
                     "grey.png", "bits.png", "interlaced.png"):
            picture = ImageOps.exif_transpose(Image.open(os.path.join(CORPUS, name)))
            for channels, mode in MODES.items():
                colours = picture.convert("RGB") if picture.mode == "CMYK" else picture
                requests.append((os.path.join(CORPUS, name), channels))
                wanted.append(theirs(colours.convert(mode)))
        for request, mine, expected in zip(requests, ours(requests), wanted):
            self.assertEqual(mine, expected, request)

    def test_every_orientation_and_subsampling(self):
        requests, wanted = [], []
        for orientation in range(1, 9):
            picture = noise("RGB", 9, 5).resize((90, 51), Image.BICUBIC)
            exif = picture.getexif()
            exif[0x0112] = orientation
            name = self.path(f"{orientation}.jpg")
            picture.save(name, exif=exif, quality=RANDOM.randrange(20, 96),
                         subsampling=orientation % 3, progressive=orientation % 2 == 0)
            requests.append((name, 3))
            wanted.append(theirs(ImageOps.exif_transpose(Image.open(name))))
        self.assertEqual(ours(requests), wanted)

    def test_alpha_lies_over_white(self):
        requests, wanted = [], []
        for name in ("rgba.png", "la.png", "palette.png"):
            picture = Image.open(os.path.join(CORPUS, name)).convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            requests.append((os.path.join(CORPUS, name), 3))
            wanted.append(theirs(Image.alpha_composite(white, picture).convert("RGB")))
        for request, mine, expected in zip(requests, ours(requests), wanted):
            self.assertEqual(mine[:3], expected[:3], request)
            self.assertLessEqual(max(abs(a - b) for a, b in zip(mine[3], expected[3])), 1, request)

    def test_sixteen_bits_are_rounded(self):
        mine = ours([(os.path.join(CORPUS, "rgb16.png"), 3)])[0]
        values = [(x * 9973 + y * 7919 + c * 20011) % 65536
                  for y in range(4) for x in range(5) for c in range(3)]
        self.assertEqual(list(mine[3]), [(value * 255 + 32895) >> 16 for value in values])

    def test_random_sizes_are_resized_alike(self):
        requests, wanted = [], []
        for i in range(150):
            mode = RANDOM.choice(["L", "RGB"])
            # A width of 1 after a height of 300: the extremes of a reduction.
            size = [RANDOM.choice([1, 2, 3, 7, 31, 64, 100, 299, 300]) for _ in range(2)]
            picture = noise(mode, *size)
            name = self.path(f"{i}.png")
            picture.save(name)
            height, width = (RANDOM.randrange(1, 120) for _ in range(2))
            resize = max(height, width) + RANDOM.randrange(40) if i % 2 else 0
            requests.append((name, len(picture.getbands()), height, width, resize))
            wanted.append(theirs(fitted(picture, height, width, resize)))
        for request, mine, expected in zip(requests, ours(requests), wanted):
            self.assertEqual(mine, expected, request)


if __name__ == "__main__":
    print(f"seed {SEED}; repeat with BATON_TEST_SEED={SEED}", flush=True)
    unittest.main(verbosity=2)
