"""Data of programs: pushed once and used by name, given by path with a submit, fetched from the web
by the nodes. Argument: folder of programs."""
import hashlib
import http.server
import os
import time
import threading

from cluster import Cluster, JobFolder, expect, main, wait_until

# Reads all of BATON_DATA_DIR/d, tells its digest, tries to write, and waits for a file if asked.
READ = """
import hashlib, os, sys, time
top = os.environ["BATON_DATA_DIR"] + "/d"
paths = [top] if os.path.isfile(top) else sorted(
    os.path.join(at, name) for at, _, names in os.walk(top) for name in names)
hash = hashlib.sha256()
for path in paths:
    hash.update(open(path, "rb").read())
    assert os.stat(path).st_mode & 0o222 == 0, path
print("files", len(paths), "hash", hash.hexdigest(), flush=True)
try:
    open(paths[0], "a")
    print("written", flush=True)
except PermissionError:
    print("refused", flush=True)
if len(sys.argv) > 1:
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.05)
"""


def log_of(cluster, job):
    return cluster.baton("logs", job).stdout


def chunks(cluster):
    found = set()
    for at, _, names in os.walk(cluster.folder):
        if "/chunks" in at:
            found.update(names)
    return found


def folder_of(cluster, name, files):
    folder = f"{cluster.top}/{name}"
    for path, content in files.items():
        os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
        with open(f"{folder}/{path}", "wb") as file:
            file.write(content)
    return folder


def all_bytes(files):
    return hashlib.sha256(b"".join(files[path] for path in sorted(files))).hexdigest()


def pushed_once_used_by_two(cluster, work):
    files = {"a.bin": os.urandom(3 << 20), "deep/b.txt": b"hello"}
    folder = folder_of(cluster, "photos", files)
    first = cluster.json("data", "push", folder)
    expect(first["name"] == "photos" and first["files"] == 2, f"{first}")
    expect(first["bytes"] == (3 << 20) + 5 and first["sent_bytes"] > 3 << 20, f"{first}")
    again = cluster.json("data", "push", folder, "--name", "photos")
    expect(again["digest"] == first["digest"] and again["sent_bytes"] == 0, f"{again}")
    go = cluster.top + "/go"
    spec = work.spec("use", ["python3", "-c", READ, go], data={"d": "data:photos"})
    jobs = [cluster.train(spec), cluster.train(spec)]
    for job in jobs:
        wait_until(lambda job=job: "hash" in log_of(cluster, job), "it has read its data")
    nodes = {cluster.show(job)["attempts"][0]["nodes"][0] for job in jobs}
    expect(len(nodes) == 2, f"both on one node: {nodes}")
    listed = cluster.json("data", "ls")
    expect(sorted(listed[0]["used_by"]) == sorted(jobs), f"{listed}")
    refused = cluster.baton("data", "rm", "photos", check=False)
    expect(refused.returncode != 0 and jobs[0] in refused.stderr, f"rm while used: {refused.stderr}")
    with open(go, "w"):
        os.chmod(cluster.top, 0o755)
    for job in jobs:
        expect(cluster.baton("wait", job).returncode == 0, "it succeeded")
        log = log_of(cluster, job)
        expect(f"files 2 hash {all_bytes(files)}" in log and "refused" in log, log)
        data = cluster.show(job)["data"]
        expect(data == [{"name": "d", "uri": "data:photos", "digest": first["digest"],
                         "sha256": None, "bytes": first["bytes"]}], f"{data}")
    expect("data:photos" in cluster.baton("show", jobs[0]).stdout, "the text has a line")
    cluster.baton("data", "rm", "photos")
    expect(cluster.json("data", "ls") == [], "nothing is left")
    gone = cluster.baton("train", spec, check=False)
    expect(gone.returncode == 2 and "nothing was pushed under the name photos" in gone.stderr,
           gone.stderr)


def by_path_with_a_submit(cluster, work):
    files = {"x": os.urandom(100_000), "y": b""}
    folder = folder_of(cluster, "given", files)
    spec = work.spec("path", ["python3", "-c", READ])
    job = cluster.train(spec, "--data", f"d={folder}")
    expect(cluster.baton("wait", job).returncode == 0, log_of(cluster, job))
    expect(all_bytes(files) in log_of(cluster, job), log_of(cluster, job))
    before = chunks(cluster)
    second = cluster.train(spec, "--data", "d=given")  # from the folder where it is typed
    expect(cluster.baton("wait", second).returncode == 0, log_of(cluster, second))
    expect(chunks(cluster) == before, "the second submit has sent something")
    one = cluster.train(spec, "--data", f"d={folder}/x")
    expect(cluster.baton("wait", one).returncode == 0, log_of(cluster, one))
    expect("files 1 hash " + hashlib.sha256(files["x"]).hexdigest() in log_of(cluster, one), "a file")


def goes_where_its_data_is(cluster, work):
    """Of equal nodes not the first, but the one that has fetched the data before."""
    folder = folder_of(cluster, "far", {"x": os.urandom(200_000)})
    cluster.baton("data", "push", folder)
    spec = work.spec("near", ["python3", "-c", READ], data={"d": "data:far"}, capacity="spot")
    plain = work.spec("plain", ["true"], capacity="spot")
    first = cluster.train(plain)
    expect(cluster.baton("wait", first).returncode == 0, "the first spot node works")
    node = cluster.show(first)["attempts"][0]["nodes"][0]
    cluster.baton("drain", node)
    job = cluster.train(spec)
    expect(cluster.baton("wait", job).returncode == 0, log_of(cluster, job))
    there = cluster.show(job)["attempts"][0]["nodes"][0]
    expect(there != node, "it was drained")
    # The next heartbeat tells what it holds. Before that a job would go to the first node, which
    # would then hold the data too.
    time.sleep(1.5)
    cluster.baton("undrain", node)
    again = wait_until(lambda: (job := cluster.train(spec)) and
                       cluster.baton("wait", job).returncode == 0 and
                       cluster.show(job)["attempts"][0]["nodes"] == [there] and job,
                       "it goes where its data is", 10)
    expect("files 1" in log_of(cluster, again), log_of(cluster, again))
    other = cluster.train(plain)
    expect(cluster.baton("wait", other).returncode == 0, "without data")
    expect(cluster.show(other)["attempts"][0]["nodes"] == [node], "the lowest id as ever")
    cluster.baton("data", "rm", "far")


def mistakes_in_words(cluster, work):
    spec = work.spec("wrong", ["true"])
    for word, what in {"../x=/tmp": "is no name", "a/b=/tmp": "is no name", "d": "NAME=URI",
                       "d=./nowhere": "no file or folder", "d=ftp://host/x": "scheme",
                       "d=file://../etc": "the whole path", "d=nothing": "was pushed"}.items():
        done = cluster.baton("train", spec, "--data", word, check=False)
        expect(done.returncode == 2 and what in done.stderr, f"{word}: {done.stderr}")
    job = cluster.train(spec, "--data", "d=file:///nowhere/at/all")
    expect(cluster.baton("wait", job, check=False, limit_s=120).returncode != 0, "it can't start")
    expect("data d: /nowhere/at/all can't be read on this node" in cluster.show(job)["reason"],
           cluster.show(job)["reason"])


class Web(http.server.BaseHTTPRequestHandler):
    """One file with ETag and ranges; the first answer of each content breaks in the middle."""
    content = b""
    broken = False
    sent = []  # (method, first byte)

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        body, tag = Web.content, '"' + hashlib.md5(Web.content).hexdigest() + '"'
        if self.path != "/file":
            self.send_error(404)
            return
        start = 0
        asked = self.headers.get("Range")
        if asked and self.headers.get("If-Range") == tag:
            start = int(asked.split("=")[1].rstrip("-"))
        Web.sent.append((self.command, start))
        self.send_response(206 if start else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if not with_body:
            return
        if not Web.broken:
            Web.broken = True
            self.wfile.write(body[start:start + len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body[start:])

    def log_message(self, *_):
        pass


def by_the_web(cluster, work):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/file"
    Web.content = os.urandom(2 << 20)
    sha256 = hashlib.sha256(Web.content).hexdigest()
    spec = work.spec("web", ["python3", "-c", READ], data={"d": url})
    job = cluster.train(spec)
    expect(cluster.baton("wait", job).returncode == 0, cluster.show(job)["reason"])
    expect(f"files 1 hash {sha256}" in log_of(cluster, job), log_of(cluster, job))
    expect(("GET", 1 << 20) in Web.sent, f"the broken fetch was not taken up: {Web.sent}")
    data = cluster.show(job)["data"][0]
    expect(data["sha256"] == sha256 and data["bytes"] == 2 << 20, f"{data}")

    # A node that has it asks, and fetches nothing.
    node = cluster.show(job)["attempts"][0]["nodes"][0]
    for other in [w["name"] for w in cluster.status()["workers"] if w["name"] != node]:
        cluster.baton("drain", other)
    Web.sent.clear()
    job = cluster.train(spec)
    expect(cluster.baton("wait", job).returncode == 0, cluster.show(job)["reason"])
    expect(Web.sent == [("HEAD", 0)], f"{Web.sent}")
    for worker in cluster.status()["workers"]:
        cluster.baton("undrain", worker["name"], check=False)

    wrong = work.spec("wrong-sum", ["true"], data={"d": {"uri": url, "sha256": "0" * 64}}, retries=0)
    job = cluster.train(wrong)
    cluster.baton("wait", job, check=False)
    shown = cluster.show(job)
    expect(shown["state"] == "FAILED" and sha256 in shown["reason"] and "0" * 64 in shown["reason"],
           f"{shown['state']}: {shown['reason']}")
    missing = work.spec("missing", ["true"], data={"d": url + "-not"}, retries=0)
    job = cluster.train(missing)
    cluster.baton("wait", job, check=False)
    expect("HTTP status 404" in cluster.show(job)["reason"], cluster.show(job)["reason"])
    return url


def changed_upstream(cluster, work, url):
    Web.content, Web.broken = os.urandom(1 << 20), True
    first = hashlib.sha256(Web.content).hexdigest()
    go = cluster.top + "/changed"
    spec = work.spec("changed", ["python3", "-c", READ + "\nsys.exit(3)", go], data={"d": url},
                     retries=1)
    job = cluster.train(spec)
    wait_until(lambda: "hash" in log_of(cluster, job), "it has read the first content")
    node = cluster.show(job)["attempts"][0]["nodes"][0]
    Web.content = os.urandom(1 << 20)
    second = hashlib.sha256(Web.content).hexdigest()
    cluster.baton("drain", node)  # the next attempt is on a node that has not the first content
    with open(go, "w"):
        pass
    cluster.baton("wait", job, check=False)
    shown = cluster.show(job)
    expect(shown["state"] == "FAILED", f"{shown['state']}: {shown['reason']}")
    expect("data whose checksum changed" in shown["reason"] and first in shown["reason"]
           and second in shown["reason"], shown["reason"])
    expect(shown["data"][0]["sha256"] == first, f"{shown['data']}")
    cluster.baton("undrain", node)


def survives_a_killed_scheduler(cluster, work):
    folder = folder_of(cluster, "kept", {"a": b"1"})
    pushed = cluster.json("data", "push", folder)
    os.kill(cluster.status()["scheduler"]["pid"], 9)
    cluster.up()
    listed = cluster.json("data", "ls")
    expect([one["digest"] for one in listed] == [pushed["digest"]], f"{listed}")


def test(programs):
    with Cluster(programs) as cluster:
        work = JobFolder(cluster)
        pushed_once_used_by_two(cluster, work)
        by_path_with_a_submit(cluster, work)
        goes_where_its_data_is(cluster, work)
        mistakes_in_words(cluster, work)
        url = by_the_web(cluster, work)
        changed_upstream(cluster, work, url)
        survives_a_killed_scheduler(cluster, work)


main(test)
