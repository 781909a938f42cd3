#!/usr/bin/env python3
"""Writes the data of mlp-7.yaml: 10,000 samples of 20 features in 10 classes, from a seed.

    python3 trainer/specs/generated/classes.py trainer/specs/generated

These are no observations: each class is three clouds in a space of 12 dimensions, which a fixed
random map then folds into 20 features, with noise. The same seed gives the same bytes.
"""

import math
import random
import struct
import sys

SEED = 7
CLASSES, CLOUDS, HIDDEN, FEATURES = 10, 3, 12, 20
TRAIN, TEST = 8_000, 2_000
SPREAD, NOISE = 1.0, 0.1


def array(dims, values):
    """The bytes of a .npy file of uint8."""
    shape = "(" + ", ".join(map(str, dims)) + ("," if len(dims) == 1 else "") + ")"
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(values)


def main():
    rng = random.Random(SEED)
    centres = [[[rng.gauss(0, 2) for _ in range(HIDDEN)] for _ in range(CLOUDS)]
               for _ in range(CLASSES)]
    fold = [[rng.gauss(0, 1 / math.sqrt(HIDDEN)) for _ in range(HIDDEN)] for _ in range(FEATURES)]
    for name, count in (("train", TRAIN), ("test", TEST)):
        values, labels = [], []
        for _ in range(count):
            label = rng.randrange(CLASSES)
            centre = centres[label][rng.randrange(CLOUDS)]
            hidden = [c + rng.gauss(0, SPREAD) for c in centre]
            for row in fold:
                feature = math.tanh(sum(w * h for w, h in zip(row, hidden)) / 2)
                feature += rng.gauss(0, NOISE)
                values.append(min(255, max(0, round(127.5 * (1 + feature)))))
            labels.append(label)
        for part, dims, content in (("x", (count, FEATURES), values), ("y", (count,), labels)):
            with open(f"{sys.argv[1]}/{name}-{part}.npy", "wb") as out:
                out.write(array(dims, content))


if __name__ == "__main__":
    main()
