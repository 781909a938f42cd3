"""Counts on, notice or not; `catch` as its argument: saves when it is told and asks to be resumed."""
import os
import signal
import sys
import time


def save(*_):
    torch.save({"told": True}, "state.pt")
    print("told and saved", flush=True)
    sys.exit(75)


if sys.argv[1] == "catch":
    import torch
    signal.signal(signal.SIGTERM, save)
if os.path.exists("state.pt"):
    print("resumed", flush=True)
    sys.exit(0)
print("ready", flush=True)
for count in range(150):
    time.sleep(0.2)
    if os.path.exists(os.environ["BATON_DEADLINE_FILE"]):
        print(f"counts on {count}", flush=True)
