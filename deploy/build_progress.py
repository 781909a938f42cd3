#!/usr/bin/env python3
"""Turns ninja's lines into one line of progress with the time left; passes errors through.

    NINJA_STATUS='[%f/%t] ' ninja ... | build_progress.py NAME

On a terminal the line is redrawn; elsewhere it is printed at each tenth.
"""

import re
import sys
import time

STATUS = re.compile(r"\[(\d+)/(\d+)\] ")
QUIET = ("ninja: Entering directory", "ninja: no work to do")


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def progress(name, done, total, seconds):
    left = seconds * (total - done) / done if done else 0
    return f"build {name}  {done}/{total}  {clock(seconds)} so far, about {clock(left)} left"


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    live = sys.stdout.isatty()
    begin, last_tenth, done, total = time.monotonic(), -1, 0, 0
    for line in sys.stdin:
        match = STATUS.match(line)
        if not match:
            if not line.startswith(QUIET):
                print(("\r\033[K" if live else "") + line, end="")
            continue
        done, total = int(match.group(1)), int(match.group(2))
        text = progress(name, done, total, time.monotonic() - begin)
        if live:
            print("\r\033[K" + text, end="", flush=True)
        elif done * 10 // total > last_tenth:
            last_tenth = done * 10 // total
            print(text, flush=True)
    if live and total:
        print("\r\033[K", end="")
    if done == total:  # else ninja has just said what went wrong
        print(f"build {name}: {total} steps in {clock(time.monotonic() - begin)}")


if __name__ == "__main__":
    main()
