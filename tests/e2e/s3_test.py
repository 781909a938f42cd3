"""Data of programs by s3, against moto, which checks each request's signature against its own.
Runs in the Python of deploy/install_peers.sh. Argument: folder of programs."""
import hashlib
import json
import os
import socket
import subprocess
import sys

import boto3
from botocore.config import Config

from cluster import Cluster, JobFolder, expect, main, wait_until

LIST = """
import hashlib, json, os
top = os.environ["BATON_DATA_DIR"] + "/d"
found = [(top, "")] if os.path.isfile(top) else [
    (os.path.join(at, name), os.path.relpath(os.path.join(at, name), top))
    for at, _, names in os.walk(top) for name in names]
for path, name in sorted(found):
    print("has", json.dumps(name), hashlib.sha256(open(path, "rb").read()).hexdigest(), flush=True)
"""
COUNT = 1005  # more than a page of the list
ALL = {"Version": "2012-10-17",
       "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


class Moto:
    """`with Moto() as moto:` has a server that refuses all that `moto.keys` have not signed."""

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        env = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "3"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.answers(port), "moto answers")
        iam = self.client("iam", {"aws_access_key_id": "x", "aws_secret_access_key": "x"})
        iam.create_user(UserName="u")
        key = iam.create_access_key(UserName="u")["AccessKey"]
        iam.put_user_policy(UserName="u", PolicyName="all", PolicyDocument=json.dumps(ALL))
        self.keys = {"aws_access_key_id": key["AccessKeyId"],
                     "aws_secret_access_key": key["SecretAccessKey"]}
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @staticmethod
    def answers(port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def client(self, service, keys):
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1",
                            config=Config(s3={"addressing_style": "path"}), **keys)


def train(cluster, spec, uri, moto, keys, *words):
    env = {**cluster.environment(), "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
           "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"]}
    done = subprocess.run(
        [cluster.programs + "/baton", "train", "--data", f"d={uri}", "--env",
         f"AWS_ENDPOINT_URL={moto.url}", "--secret", "AWS_ACCESS_KEY_ID", "--secret",
         "AWS_SECRET_ACCESS_KEY", *words, spec], env=env, cwd=cluster.top, capture_output=True,
        text=True, timeout=60)
    expect(done.returncode == 0, done.stderr)
    job = done.stdout.strip()
    cluster.baton("wait", job, check=False)
    return job


def has(cluster, job):
    shown = cluster.show(job)
    expect(shown["state"] == "SUCCEEDED", f"{shown['state']}: {shown['reason']}")
    lines = [line.split("has ", 1)[1] for line in cluster.baton("logs", job).stdout.splitlines()]
    return {json.loads(line[:-65]): line[-64:] for line in lines}


def test(programs):
    with Moto() as moto, Cluster(programs) as cluster:
        work = JobFolder(cluster)
        s3 = moto.client("s3", moto.keys)
        s3.create_bucket(Bucket="bucket")
        files = {"a.bin": os.urandom(1 << 20), "deep/b c+ü.txt": b"hello", "empty": b""}
        for number in range(COUNT):
            files[f"many/{number:04}"] = b"%d" % number
        for name, content in files.items():
            s3.put_object(Bucket="bucket", Key="set/" + name, Body=content)
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        spec = work.spec("s3", ["python3", "-c", LIST], retries=0)

        job = train(cluster, spec, "s3://bucket/set/", moto, moto.keys)
        found = has(cluster, job)
        wrong = sorted(set(found.items()) ^ set(sums.items()))
        expect(not wrong, f"{len(wrong)} not whole: {wrong[:5]}")
        listed = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
        data = cluster.show(job)["data"][0]
        expect(data["sha256"] == hashlib.sha256(listed.encode()).hexdigest(), f"{data}")
        expect(data["bytes"] == sum(len(content) for content in files.values()), f"{data}")

        job = train(cluster, spec, "s3://bucket/set/a.bin", moto, moto.keys)
        expect(list(has(cluster, job).values()) == [sums["a.bin"]], "one object is a file")
        expect(cluster.show(job)["data"][0]["sha256"] == sums["a.bin"], "its SHA-256 is told")

        wrong = {**moto.keys, "aws_secret_access_key": "wrong"}
        job = train(cluster, spec, "s3://bucket/set/empty", moto, wrong)
        shown = cluster.show(job)
        expect(shown["state"] == "FAILED" and "HTTP status 403" in shown["reason"]
               and "AWS_ACCESS_KEY_ID" in shown["reason"], f"{shown['reason']}")
        job = train(cluster, spec, "s3://bucket/nothing/", moto, moto.keys)
        expect("nothing lies below" in cluster.show(job)["reason"], cluster.show(job)["reason"])


main(test)
