"""A user's program that knows the job contract: says what it was given, counts, checkpoints."""
import json
import os
import signal
import sys
import time

noticed = []
signal.signal(signal.SIGTERM, lambda *_: noticed.append(True))
folder = os.environ["BATON_CHECKPOINT_DIR"]
resume = os.environ["BATON_RESUME_DIR"]
step = 0
if resume:
    with open(f"{resume}/state") as file:
        step = int(file.read())


def save():
    name = f"{folder}/step-{step}"
    os.makedirs(name + ".tmp")
    with open(f"{name}.tmp/state", "w") as file:
        file.write(str(step))
    with open(f"{name}.tmp/checkpoint.json", "w") as file:
        json.dump({"step": step}, file)
    os.rename(name + ".tmp", name)


print(f"resumed at {step}", flush=True)
while step < int(sys.argv[1]):
    time.sleep(0.02)
    step += 1
    with open(os.environ["BATON_METRICS_FILE"], "a") as file:
        file.write(json.dumps({"step": step, "time": time.time(), "loss": 1 / step}) + "\n")
    print(f"line {step}", flush=True)
    if noticed:
        with open(os.environ["BATON_DEADLINE_FILE"]) as file:
            notice = json.load(file)
        print(f"notice {sorted(notice)}", flush=True)
        save()
        sys.exit(75)
    if step % 40 == 0:
        save()
with open(os.environ["BATON_OUTPUT_DIR"] + "/environment.json", "w") as file:
    json.dump(dict(os.environ), file)
with open(os.environ["BATON_PARAMS_FILE"]) as file:
    print("params", file.read(), flush=True)
