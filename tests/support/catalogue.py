"""Videos at the real origin without a transcode: the test is the worker, and what it publishes is
a playlist of a few bytes. For tests of what is known of videos, not of their media."""
import base64
import hashlib
import json
import pathlib
import re

from lab_wire import call, get

TOKEN = "a-token-that-workers-know"
CONFIG = f"auth:\n  hash_memory: 1MiB\nworker_token: {TOKEN}\njobs:\n  lease: 1h\n"
PASSWORD = "correct horse battery"
TOOLS = "the tools of a test"
PLAYLIST = b"#EXTM3U\n"

SEED = pathlib.Path(__file__).parents[1] / "fuzz" / "seeds" / "recipe" / "recipe"


def recipe():
    """As a PREPARE would tell it, of one source chunk; its hash is the version."""
    made = json.loads(SEED.read_text())
    made["chunks"] = [{**made["chunks"][0], "n_places": made["n_places"]}]
    return {**made, "toolchain": TOOLS, "request": {}}


class Person:
    """An account that is logged in."""

    def __init__(self, origin, email, name=None):
        self.api = origin.url + "/api/v1"
        account = {"email": email, "password": PASSWORD}
        made = call("POST", f"{self.api}/auth/register", account)
        assert made.status == 201, made.body
        self.id = made.json()["id"]
        session = call("POST", f"{self.api}/auth/login", account)
        assert session.status == 200, session.body
        self.token = session.json()["access_token"]
        if name:
            assert self.put("me", {"name": name}).status == 200

    def ask(self, method, path, value=None, headers=()):
        return call(method, f"{self.api}/{path}", value, self.token, headers)

    def get(self, path):
        return self.ask("GET", path)

    def put(self, path, value=None):
        return self.ask("PUT", path, value)

    def post(self, path, value=None, key=None):
        return self.ask("POST", path, value, [("Idempotency-Key", key)] if key else ())

    def delete(self, path):
        return self.ask("DELETE", path)


class Catalogue:
    """Of an origin that was started with CONFIG and without workers."""

    def __init__(self, origin):
        self.origin, self.api = origin, origin.url + "/api/v1"
        self.objects = pathlib.Path(origin.dir) / "data" / "objects"
        self.version = None  # of every video, once one is made

    def person(self, email, name=None):
        return Person(self.origin, email, name)

    def hand_in(self, person, title="A title", **fields):
        """Creates, uploads and completes; returns the id."""
        made = person.post("videos", {"title": title, "filename": "clip.mp4", "size": 4, **fields})
        assert made.status == 201, made.body
        upload = made.json()["upload"]["url"]
        assert get(upload, "PUT", {}, b"clip").status == 200
        video = made.json()["id"]
        assert person.post(f"videos/{video}/complete").status == 202
        return video

    def internal(self, what, value):
        done = call("POST", f"{self.origin.url}/internal/v1/tasks/{what}", value, TOKEN)
        assert done.status in (200, 204), done.body
        return done

    def take(self, worker="test", tools=TOOLS):
        """The next task, or None."""
        taken = self.internal("take", {"worker": worker, "toolchain": tools})
        return taken.json() if taken.status == 200 else None

    def finish(self, task, duration_ms=10000, media=()):
        """Does a task as far as its origin can see."""
        result = {}
        if task["kind"] == "prepare":
            result = {"recipe": recipe()}
        elif task["kind"] == "finish":
            result = self.result(task, duration_ms, media)
        else:
            part = "chunk-0-00000" if task["kind"] == "chunk" else "sound-0"
            self.put(f"work/{task['video']}/{task['version']}/{part}.json", b"{}")
        self.internal("finish", {**task, "result": result})

    def send(self, task, key, body, digest=None):
        """Over the task's lease, as a worker without a store does; returns the answer."""
        headers = {"Authorization": f"Bearer {TOKEN}",
                   "Forebay-Lease": f"{task['task']} {task['lease']}"}
        if digest:
            headers["Content-Digest"] = f"sha-256=:{base64.b64encode(digest).decode()}:"
        return get(f"{self.origin.url}/internal/v1/tasks/objects/{key}", "PUT", headers, body)

    def put(self, key, body):
        path = self.objects / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def result(self, task, duration_ms, media):
        self.version, files = task["version"], []
        for path, body in [("master.m3u8", PLAYLIST), *media]:
            self.put(f"media/{task['video']}/{self.version}/{path}", body)
            kind = "application/vnd.apple.mpegurl" if path.endswith(".m3u8") else "video/mp4"
            files.append({"path": path, "type": kind, "size": len(body),
                          "sha256": hashlib.sha256(body).hexdigest()})
        return {"version": self.version, "duration_ms": duration_ms, "width": 640, "height": 360,
                "has_audio": True, "files": files,
                "renditions": [{"height": 360, "width": 640, "bandwidth": 800000, "codecs": "avc1"}]}

    def work(self, duration_ms=10000, media=()):
        """Publishes what has waited longest, with the files of `media` beside its playlist, as (path,
        bytes); returns its id."""
        while task := self.take():
            self.finish(task, duration_ms, media)
            if task["kind"] == "finish":
                return task["video"]
        raise AssertionError("there is nothing to do")

    def publish(self, person, title="A title", duration_ms=10000, media=(), **fields):
        video = self.hand_in(person, title, **fields)
        assert self.work(duration_ms, media) == video
        return video

    def about(self, video):
        told = get(f"{self.api}/videos/{video}")
        assert told.status == 200, told.body
        return told.json()

    def media(self, video):
        return get(f"{self.origin.url}/media/{video}/{self.version}/master.m3u8")


def slug(response):
    assert response.headers["Content-Type"] == "application/problem+json", response.headers
    return response.json()["type"].rpartition("/")[2]


def quota(response):
    """(limit, window, left, reset) of the RateLimit fields."""
    policy = re.fullmatch(r'"\w+";q=(\d+);w=(\d+)', response.headers["RateLimit-Policy"])
    state = re.fullmatch(r'"\w+";r=(\d+);t=(\d+)', response.headers["RateLimit"])
    return tuple(int(number) for number in policy.groups() + state.groups())
