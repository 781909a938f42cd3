"""exec, shell and forward: into a running task of a real cluster, without an open port.

    tests/e2e/tunnel_test.py BIN
"""
import os
import pty
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from cluster import Cluster, expect, wait_until

# Serves its folder, and stays until it is told to go.
JOB = """name: serving
command: [python3, serve.py]
env: {COLOR: blue}
"""
SERVE = """import functools, http.server, os
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
with open("port.tmp", "w") as file:
    file.write(str(server.server_port))
os.rename("port.tmp", "port")
server.serve_forever()
"""


def processes(text):
    return [line for line in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True,
                                            check=True).stdout.splitlines() if line.strip() == text]


class Person:
    def __init__(self, cluster):
        self.cluster = cluster

    def run(self, *words, **more):
        return subprocess.run([self.cluster.programs + "/baton", *words], capture_output=True,
                              env=self.cluster.environment(), cwd=self.cluster.top, check=False,
                              timeout=60, **more)

    def start(self, *words, **more):
        return subprocess.Popen([self.cluster.programs + "/baton", *words],
                                env=self.cluster.environment(), cwd=self.cluster.top, **more)


def check_exec(me):
    done = me.run("exec", "serving", "--", "sh", "-c",
                  "echo $COLOR $BATON_RANK; ls serve.py; echo oh >&2; exit 7")
    expect(done.returncode == 7, f"the command's exit code: {done}")
    expect(done.stdout == b"blue 0\nserve.py\n" and done.stderr == b"oh\n", f"{done}")
    blob = os.urandom(6 << 20)
    done = me.run("exec", "serving", "--", "cat", input=blob)
    expect(done.returncode == 0 and done.stdout == blob, "6 MiB there and back")
    done = me.run("exec", "serving", "--", "head", "-c", "3", input=blob)
    expect(done.returncode == 0 and done.stdout == blob[:3], "who reads no more holds nothing up")
    done = me.run("exec", "serving", "--", "/no/such/program")
    expect(done.returncode == 127 and b"No such file" in done.stderr, f"{done}")
    done = me.run("exec", "serving", "--", "sh", "-c", "kill -9 $$")
    expect(done.returncode == 137, f"a signal, as shells say it: {done}")
    # What holds the output open behind the command's back does not hold it up.
    begin = time.monotonic()
    done = me.run("exec", "serving", "--", "sh", "-c", "sleep 1013 & echo done")
    expect(done.stdout == b"done\n" and time.monotonic() - begin < 20, f"{done}")
    wait_until(lambda: not processes("sleep 1013"), "what it left is gone", 10)


def check_refusals(me):
    done = me.run("exec", "serving", "--rank", "3", "--", "true")
    expect(done.returncode == 2 and b"no rank 3" in done.stderr, f"{done}")
    done = me.run("exec", "nothing", "--", "true")
    expect(done.returncode == 3 and b"nothing" in done.stderr, f"{done}")
    done = me.run("forward", "serving", "70000")
    expect(done.returncode == 2 and b"is no port" in done.stderr, f"{done}")


def check_going_away(me):
    """Who hangs up takes the command along."""
    for kill in (signal.SIGINT, signal.SIGKILL):
        away = me.start("exec", "serving", "--", "sleep", "1017")
        wait_until(lambda: processes("sleep 1017"), "it runs")
        away.send_signal(kill)
        code = away.wait(timeout=20)
        expect(code == (130 if kill == signal.SIGINT else -9), f"{kill}: {code}")
        wait_until(lambda: not processes("sleep 1017"), "it ends with who started it")


def check_shell(me):
    master, slave = pty.openpty()
    shell = me.start("shell", "serving", stdin=slave, stdout=slave, stderr=slave,
                     start_new_session=True)
    os.close(slave)
    os.write(master, b"tty; echo $COLOR$((40+2)); exit 3\n")
    seen = b""
    end = time.monotonic() + 30
    while time.monotonic() < end and shell.poll() is None or select.select([master], [], [], 0.2)[0]:
        if select.select([master], [], [], 0.1)[0]:
            try:
                seen += os.read(master, 4096)
            except OSError:
                break
    os.close(master)
    expect(shell.wait(timeout=10) == 3, f"the shell's exit code: {seen}")
    expect(b"/dev/pts/" in seen and b"blue42" in seen, f"a terminal of its own: {seen}")


def check_forward(me):
    port = me.run("exec", "serving", "--", "cat", "port").stdout.decode()
    forward = me.start("forward", "serving", "0:" + port, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
    address = forward.stdout.readline().strip()
    for _ in range(3):
        with urllib.request.urlopen(f"http://{address}/serve.py", timeout=20) as answer:
            expect(answer.read().decode() == SERVE, "the node's answer")
    try:
        urllib.request.urlopen(f"http://{address}/none", timeout=20)
        expect(False, "a page that is not there")
    except urllib.error.HTTPError as error:
        expect(error.code == 404, f"{error}")
    forward.send_signal(signal.SIGINT)
    told = forward.communicate(timeout=20)[1]
    expect(forward.returncode == 0, f"Ctrl-C is its end: {told}")
    closed = me.start("forward", "serving", "0:9", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                      text=True)
    address = closed.stdout.readline().strip()
    try:
        urllib.request.urlopen(f"http://{address}/", timeout=20)
        expect(False, "a port that nobody serves")
    except OSError:
        pass
    closed.send_signal(signal.SIGTERM)
    told = closed.communicate(timeout=20)[1]
    expect("nothing answers at port 9 of the node" in told, told)


TUNNELS_MAX = 64  # of a node


def check_a_crowd(me):
    """Who holds a node's tunnels open keeps others out, who are told so, until one is closed."""
    crowd = [me.start("exec", "serving", "--", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE) for _ in range(TUNNELS_MAX + 4)]
    try:
        for one in crowd:
            one.stdin.write(b"x\n")
            one.stdin.flush()
        served = [one for one in crowd if one.stdout.readline() == b"x\n"]
        # A tunnel of a check before may still be on its way out.
        expect(TUNNELS_MAX - 4 <= len(served) <= TUNNELS_MAX, f"{len(served)} were served")
        for one in set(crowd) - set(served):
            told = one.communicate(timeout=60)[1]
            expect(one.returncode != 0 and b"close some" in told, f"{one.returncode}: {told}")
        served[0].communicate(timeout=60)
        end = time.monotonic() + 20
        while (done := me.run("exec", "serving", "--", "true")).returncode != 0:
            expect(time.monotonic() < end, f"{len(served)} were served, one has gone: {done}")
            time.sleep(0.02)
    finally:
        for one in crowd:
            one.kill()
            one.wait()
    wait_until(lambda: not processes("cat"), "nothing of them is left")


def check_the_tasks_end(me):
    beside = me.start("exec", "serving", "--", "sleep", "1019", stderr=subprocess.PIPE)
    wait_until(lambda: processes("sleep 1019"), "it runs")
    me.cluster.baton("cancel", "serving")
    beside.communicate(timeout=60)
    expect(beside.returncode == 137, f"it ended with the task: {beside.returncode}")
    wait_until(lambda: me.cluster.json("show", "serving")["state"] == "CANCELLED", "the cancel")
    done = me.run("exec", "serving", "--", "true")
    expect(done.returncode == 2 and b"only a RUNNING one" in done.stderr, f"{done}")


def main():
    with Cluster(sys.argv[1], workers="spot") as cluster:
        folder = cluster.top + "/job"
        os.mkdir(folder)
        for name, text in (("job.yaml", JOB), ("serve.py", SERVE)):
            with open(f"{folder}/{name}", "w") as file:
                file.write(text)
        cluster.baton("train", folder + "/job.yaml")
        me = Person(cluster)
        wait_until(lambda: me.run("exec", "serving", "--", "test", "-e", "port").returncode == 0,
                   "the task runs")
        for check in (check_exec, check_refusals, check_going_away, check_shell, check_forward,
                      check_a_crowd, check_the_tasks_end):
            check(me)
            print(f"{check.__name__}: ok", flush=True)


if __name__ == "__main__":
    main()
