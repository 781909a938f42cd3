"""A trial of a sweep, with the standard library alone: it walks some steps and tells how good its
parameters are. It goes on from its checkpoint, so that a lost node costs it little."""
import json
import os
import sys
import time

with open(os.environ["BATON_PARAMS_FILE"]) as file:
    params = json.load(file)
x, opt = params["x"], params["opt"]
if os.environ["BATON_FLAG_X"] != str(x):
    sys.exit(f"BATON_FLAG_X is {os.environ['BATON_FLAG_X']}, not {x}")
if "--opt=" + opt not in sys.argv:
    sys.exit(f"no --opt={opt} among {sys.argv}")
begin = 0
resume = os.environ["BATON_RESUME_DIR"]
if resume:
    with open(resume + "/step") as file:
        begin = int(file.read())
steps = params.get("steps", 10)
for step in range(begin + 1, steps + 1):
    time.sleep(params.get("step_s", 0.05))
    # Best at x = 3 with adam; each step comes nearer.
    score = -((x - 3.0) ** 2) - (0 if opt == "adam" else 0.5) - 1.0 / step
    with open(os.environ["BATON_METRICS_FILE"], "a") as file:
        file.write(json.dumps({"step": step, "score": score}) + "\n")
    name = f"{os.environ['BATON_CHECKPOINT_DIR']}/step-{step}"
    os.mkdir(name + ".tmp")
    with open(name + ".tmp/step", "w") as file:
        file.write(str(step))
    with open(name + ".tmp/checkpoint.json", "w") as file:
        json.dump({"step": step}, file)
    os.rename(name + ".tmp", name)
if params.get("fail_above") is not None and x > params["fail_above"]:
    sys.exit(1)
