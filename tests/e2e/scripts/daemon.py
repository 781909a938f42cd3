"""Done at once, but a child that it has made a daemon keeps its output open."""
import os
import sys

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        # Not even the environment tells whose it is.
        os.execve("/bin/sleep", ["sleep", "4331"], {})
    os._exit(0)
print("finished", flush=True)
sys.exit(0)
