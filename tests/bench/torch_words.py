"""The peer: skip-gram with negative sampling in PyTorch, sparse embeddings, on one thread.

    /usr/bin/python3 tests/bench/torch_words.py --words 13465 --width 100 --batch 1024 --optimizer adam

Prints pairs per second of STEPS steps, the faster of two ways to write the products. The batches are
drawn beforehand, by counts that fall as 1 / rank: what it costs to read a text and draw from it is
not in the figure, to PyTorch's advantage.
"""
import argparse
import time

import numpy
import torch
from torch.nn import functional

STEPS = 150
WARM_UP = 10


def rate(args, batches, products):
    tables = [torch.nn.Embedding(args.words, args.width, sparse=True) for _ in range(2)]
    weights = [table.weight for table in tables]
    optimizer = (torch.optim.SGD(weights, 0.1) if args.optimizer == "sgd"
                 else torch.optim.SparseAdam(weights, 0.003))
    target = torch.zeros(args.batch, 1 + args.negatives)
    target[:, 0] = 1
    for step, ids in enumerate(batches):
        if step == WARM_UP:
            begin = time.perf_counter()
        optimizer.zero_grad()
        word, context = tables[0](ids[:, :1]), tables[1](ids[:, 1:])
        loss = functional.binary_cross_entropy_with_logits(products(word, context), target)
        loss.backward()
        optimizer.step()
    return (len(batches) - WARM_UP) * args.batch / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=13465)
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--negatives", type=int, default=5)
    parser.add_argument("--optimizer", choices=("sgd", "adam"), default="adam")
    args = parser.parse_args()
    torch.set_num_threads(1)
    odds = 1 / numpy.arange(1, args.words + 1)
    ids = numpy.random.default_rng(1).choice(
        args.words, size=(STEPS + WARM_UP, args.batch, 2 + args.negatives), p=odds / odds.sum())
    batches = list(torch.from_numpy(ids))
    ways = (lambda word, context: (word * context).sum(2),
            lambda word, context: torch.bmm(context, word.transpose(1, 2)).squeeze(2))
    print(f"pairs_per_s {max(rate(args, batches, way) for way in ways):.0f}")


if __name__ == "__main__":
    main()
