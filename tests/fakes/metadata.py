"""A metadata server that speaks the dialects of AWS, GCP and Azure, for tests: one port each.

Faults are documented ones: a token that has expired (401), no notice (404), and an end of the whole
service, as once a machine's shutdown has begun.
"""
import http.server
import json
import threading
import time
import urllib.parse


class Metadata:
    """`with Metadata() as it:` serves; `it.urls[cloud]` is what --metadata-url takes."""

    def __init__(self):
        self.changed = threading.Condition()
        self.tokens = 0          # handed out so far; only the newest is good
        self.action = None       # AWS: (action, time)
        self.rebalance = None    # AWS: noticeTime
        self.preempted = False   # GCP
        self.maintenance = "NONE"
        self.version = 1         # GCP's ETag
        self.events = []         # Azure
        self.approved = []       # Azure: ids of StartRequests
        self.asked = {}          # how often, by path
        self.gone = False        # nobody answers any more
        self.servers = {}
        for cloud in ("aws", "gcp", "azure"):
            self.servers[cloud] = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                                  self._handler(cloud))
        self.urls = {cloud: f"http://127.0.0.1:{server.server_port}"
                     for cloud, server in self.servers.items()}

    def __enter__(self):
        for server in self.servers.values():
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            server.shutdown()
            server.server_close()

    def change(self, **values):
        with self.changed:
            for name, value in values.items():
                setattr(self, name, value)
            self.version += 1
            self.changed.notify_all()

    def expire_token(self):
        self.tokens += 1

    def _handler(self, cloud):
        metadata, answer = self, getattr(self, "_" + cloud)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                url = urllib.parse.urlsplit(self.path)
                metadata.asked[url.path] = metadata.asked.get(url.path, 0) + 1
                if metadata.gone:
                    self.close_connection = True
                    return
                code, text, headers = answer(self.command, url.path,
                                             urllib.parse.parse_qs(url.query), self.headers, body)
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_PUT = do_POST = _do

            def log_message(self, *_):
                pass

        return Handler

    def _aws(self, method, path, _query, headers, _body):
        if path == "/latest/api/token":
            if method != "PUT" or "X-aws-ec2-metadata-token-ttl-seconds" not in headers:
                return 400, "", {}
            self.tokens += 1
            return 200, f"token-{self.tokens}", {}
        if headers.get("X-aws-ec2-metadata-token") != f"token-{self.tokens}":
            return 401, "", {}
        if path == "/latest/meta-data/spot/instance-action" and self.action is not None:
            return 200, json.dumps({"action": self.action[0], "time": self.action[1]}), {}
        if path == "/latest/meta-data/events/recommendations/rebalance" and self.rebalance:
            return 200, json.dumps({"noticeTime": self.rebalance}), {}
        if path == "/latest/meta-data/events/maintenance/scheduled":
            return 200, "[]", {}
        return 404, "", {}

    def _gcp(self, _method, path, query, headers, _body):
        if headers.get("Metadata-Flavor") != "Google":
            return 403, "", {}
        flavor = {"Metadata-Flavor": "Google"}
        values = {"/computeMetadata/v1/instance/preempted":
                  lambda: "TRUE" if self.preempted else "FALSE",
                  "/computeMetadata/v1/instance/maintenance-event": lambda: self.maintenance,
                  "/computeMetadata/v1/instance/id": lambda: "7"}
        if path not in values:
            return 404, "", flavor
        if query.get("wait_for_change") == ["true"]:
            end = time.monotonic() + int(query.get("timeout_sec", ["300"])[0])
            with self.changed:
                first, seen = values[path](), query.get("last_etag", [""])[0]
                while (values[path]() == first and seen in ("", str(self.version))
                       and time.monotonic() < end and not self.gone):
                    self.changed.wait(0.2)
        return 200, values[path](), flavor | {"ETag": str(self.version)}

    def _azure(self, method, path, _query, headers, body):
        if headers.get("Metadata") != "true":
            return 400, "", {}
        if path == "/metadata/instance/compute":
            return 200, json.dumps({"name": "vm0"}), {}
        if path != "/metadata/scheduledevents":
            return 404, "", {}
        if method == "POST":
            self.approved += [event["EventId"] for event in json.loads(body)["StartRequests"]]
            return 200, "", {}
        return 200, json.dumps({"DocumentIncarnation": self.version, "Events": self.events}), {}
