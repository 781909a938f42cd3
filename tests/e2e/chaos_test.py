"""A short game day, as its user plays one: every job ends with the calm run's bytes.

Arguments: folder of programs, [faults, [seed]].
"""
import json
import os
import subprocess
import sys
import tempfile


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
        # A second game in the same folder would mix with the first.
        again = subprocess.run([programs + "/baton", "chaos", "--dir", top + "/day"], env=env,
                               capture_output=True, text=True)
        assert again.returncode == 2 and "holds a game already" in again.stderr, again.stderr
    print("ok")


main()
