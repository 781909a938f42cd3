"""Writes 100 MB of log a second for two seconds."""
import os
import time

block = (b"x" * 99 + b"\n") * 100_000
for _ in range(20):
    began = time.monotonic()
    left = memoryview(block)
    while left:
        left = left[os.write(1, left):]
    time.sleep(max(0, 0.1 - (time.monotonic() - began)))
print("last line", flush=True)
