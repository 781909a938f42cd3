"""A short game day, as its user plays one: every job ends with the calm run's bytes.

Arguments: folder of programs, [faults, [seed]].
"""
import json
import os
import subprocess
import sys
import tempfile


SCRIPT = """import os, sys, time
n = int(open("n.txt").read()) if os.path.exists("n.txt") else 0
while n < 30:
    n += 1
    with open("n.new", "w") as file:
        file.write(str(n))
    os.replace("n.new", "n.txt")
    time.sleep(0.1)
with open(os.environ["BATON_OUTPUT_DIR"] + "/sum", "w") as file:
    file.write(str(sum(range(n + 1))) + sys.argv[1])
"""


def a_script_plays_too(programs, top, env):
    with open(top + "/count.py", "w", encoding="utf-8") as file:
        file.write(SCRIPT)
    done = subprocess.run([programs + "/baton", "chaos", "--seed", "5", "--faults", "2", "--jobs",
                           "1", "--workers", "spot,spot", "--dir", top + "/script",
                           f"{top}/count.py --checkpoint n.txt x"],
                          env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def main():
    programs = os.path.abspath(sys.argv[1])
    faults = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    seed = sys.argv[3] if len(sys.argv) > 3 else "5"
    with tempfile.TemporaryDirectory(prefix="baton-chaos-") as top:
        env = {**os.environ, "HOME": top, "XDG_STATE_HOME": top}
        done = subprocess.run([programs + "/baton", "chaos", "--seed", seed, "--faults",
                               str(faults), "--dir", top + "/day", "-o", "json"],
                              env=env, stdout=subprocess.PIPE, text=True)
        said = json.loads(done.stdout)
        print(json.dumps(said, indent=1), flush=True)
        assert len(said["faults"]) == faults, said["faults"]
        assert said["jobs"] and all(job["state"] == "SUCCEEDED" for job in said["jobs"])
        assert all(job["sha256"] == job["calm_sha256"] for job in said["jobs"])
        assert not said["leaks"] and done.returncode == 0
        a_script_plays_too(programs, top, env)
        # A second game in the same folder would mix with the first.
        again = subprocess.run([programs + "/baton", "chaos", "--dir", top + "/day"], env=env,
                               capture_output=True, text=True)
        assert again.returncode == 2 and "holds a game already" in again.stderr, again.stderr
    print("ok")


main()
