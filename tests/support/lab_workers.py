"""Workers and their children for scenarios: who runs, who is killed, and what was published.

    worker = remote_worker(lab, origin, "worker-1")            # objects by way of the origin
    kill_child(worker)                                         # in the middle of a task
    check_published(origin, [video, ...])                      # once, whole, nothing left
"""
import hashlib
import json
import os
import pathlib
import signal

from lab import until
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
