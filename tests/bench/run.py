#!/usr/bin/env python3
"""Measures what Baton promises about speed and prints one table.

    python3 tests/bench/run.py                  all rows
    python3 tests/bench/run.py --only trainer   one row; may be given again

Builds in release, installs nothing. README.md beside this file says what each row is.
"""
import argparse
import datetime
import sys
import time

import cards
import determinism
import environment
import models
import recovery
import scaling
import scheduler
import scripts
import tasks
import training
import words
from measure import Missing, machine

ROWS = {
    "submits": scheduler.submits,
    "first": tasks.first,
    "noop": tasks.noop,
    "queue": scheduler.queue,
    "decision": scheduler.decision,
    "trainer": training.trainer,
    "models": models.models,
    "inference": models.inference,
    "seconds": models.seconds,
    "memory": scaling.memory,
    "scaling": scaling.scaling,
    "determinism": determinism.determinism,
    "overlap": determinism.overlap,
    "checkpoint": training.checkpoint,
    "recovery": recovery.recovery,
    "words": words.words,
    "folders": scripts.folders,
    "logs": scripts.logs,
    "overhead": scripts.overhead,
    "ddp": scripts.ddp,
    "environment": environment.environment,
    "cards": cards.cards,
}


def print_table(figures):
    cells = [["what", "measured", "beside it", "expected", ""]]
    for figure in figures:
        verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
        cells.append([figure.what, figure.value, figure.beside, figure.expected, verdict])
    widths = [max(len(row[i]) for row in cells) for i in range(5)]
    cells.insert(1, ["-" * width for width in widths])
    for row in cells:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ROWS, help="this row alone")
    parser.add_argument("--environment-mib", type=int, default=environment.SIZE_MIB,
                        help="size of the row `environment` [%(default)s]")
    flags = parser.parse_args()
    names = flags.only or list(ROWS)
    rows = {**ROWS, "environment": lambda: environment.environment(flags.environment_mib)}
    begin, figures, missing = time.monotonic(), [], []
    for name in names:
        print(f"{name} ..", file=sys.stderr, flush=True)
        try:
            figures += rows[name]()
        except Missing as error:
            missing.append(f"{name}: {error}")
    print(f"{datetime.date.today()}, {machine()}, {time.monotonic() - begin:.0f} s\n")
    print_table(figures)
    for line in missing:
        print(f"not measured  {line}")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
