"""Workers and their children for scenarios: who runs, who is killed, and what was published.

    worker = remote_worker(lab, origin, "worker-1")            # objects by way of the origin
    kill_child(worker)                                         # in the middle of a task
    check_published(origin, [video, ...])                      # once, whole, nothing left
    gate = Gate(origin, lambda task: task["kind"] != "sound")  # what a worker is given when
"""
import hashlib
import http.server
import json
import os
import pathlib
import signal
import threading

from lab import get, until
from lab_wire import free_port

TOKEN = "a-token-that-workers-know"
CHILD = "forebay-transco"  # the first 15 letters are what the kernel keeps


def remote_worker(lab, origin, name="worker-1", objects=None, url=None, extra="", start=True):
    """forebay-worker; with `objects` (a URL) it has a store of its own."""
    admin = free_port()
    own = f"objects: {objects}\n" if objects else ""
    config = (f"node: {name}\nadmin:\n  address: 127.0.0.1:{admin}\norigin: {url or origin.url}\n"
              f"worker_token: {TOKEN}\nscratch: scratch\nworkers: 1\nworker_threads: 1\n"
              f"reserve: 1MiB\n{own}{extra}")
    return lab.program("forebay-worker", name, config, admin=admin, start=start)


def children(program):
    """The processes that do a task for it now."""
    found = []
    try:
        for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir():
            for pid in (task / "children").read_text().split():
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == CHILD:
                    found.append(int(pid))
    except (FileNotFoundError, ProcessLookupError):
        pass  # gone meanwhile
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def is_gone(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def published(origin, video):
    return [line for line in origin.log_lines()
            if video in line and '"message":"published' in line]


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def check_published(origin, videos):
    """Each was published once, with the very bytes that were listed, and nothing else is there."""
    objects = origin.dir / "data" / "objects"
    for video in videos:
        assert len(until(lambda video=video: published(origin, video), "the log tells of it")) == 1
        versions = list((objects / "media" / video).iterdir())
        assert len(versions) == 1, versions
        listed = json.loads((versions[0] / "publish.json").read_text())["files"]
        for file in listed:
            body = (versions[0] / file["path"]).read_bytes()
            assert len(body) == file["size"], file
            assert hashlib.sha256(body).hexdigest() == file["sha256"], file
        assert {"master.m3u8", "manifest.mpd"} <= {file["path"] for file in listed}
        left = files_below(versions[0]) - {file["path"] for file in listed} - {"publish.json"}
        assert not left, left


class Gate:
    """Between an origin and workers that have its objects: of the tasks that they take, those that may
    not `pass_at_once` wait here, leased, until it is opened."""

    def __init__(self, origin, pass_at_once):
        gate = self
        self.held, self.is_open = [], threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_take = self.path.endswith("/take")
                if is_take and gate.held and gate.is_open.is_set():
                    return self.reply(gate.held.pop(0))
                answer = get(origin.url + self.path, "POST", dict(self.headers), body)
                if is_take and answer.status == 200 and not gate.is_open.is_set() \
                        and not pass_at_once(answer.json()):
                    gate.held.append(answer)
                    return self.reply(None)
                return self.reply(answer)

            def reply(self, answer):
                self.send_response(answer.status if answer else 204)
                if answer and answer.body:
                    self.send_header("Content-Type", answer.headers["Content-Type"])
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body if answer else b"")

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"
