"""A new process of the origin takes over while creators and tiers are at it."""
import hashlib
import threading
import urllib.parse

from lab import Client, Cut, call, get, until
from studio import Studio

QUICK = "auth:\n  hash_memory: 1MiB\n"


def studio_of(origin):
    studio = Studio(origin.url)
    studio.sign_up("ada@example.org", "correct horse battery")
    return studio


def restarted(origin):
    until(lambda: origin.restart().status == 200, "it restarts")


class Readers:
    """Ask for the list of videos, on new connections and on those that stand."""

    def __init__(self, origin):
        self.port, self.failed, self.n_answers = origin.port, [], 0
        self.stopping, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(keeps,), daemon=True)
                        for keeps in (False, True)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.failed, self.failed[:5]

    def await_more(self):
        n = self.n_answers
        until(lambda: self.n_answers > n + 10 or self.failed, "they are answered")

    def _run(self, keeps):
        client = None
        while not self.stopping.is_set() and not self.failed:
            is_used, client = client is not None, client or Client(self.port, timeout=30)
            client.response = None
            try:
                answer = client.request("/api/v1/videos").read()
            except (OSError, Cut) as error:
                if not is_used or client.response or client.buffer:
                    self.failed.append(repr(error))
                client.close()
                client = None
                continue
            if answer.status != 200 or not answer.complete:
                self.failed.append(answer.status)
            with self.lock:
                self.n_answers += 1
            if not keeps or answer.headers.get("Connection") == "close":
                client.close()
                client = None
        if client:
            client.close()


def test_no_request_fails_however_often_it_restarts(lab):
    origin = lab.origin(workers=1, extra=QUICK)
    readers = Readers(origin)
    for _ in range(3):
        readers.await_more()
        restarted(origin)
    readers.await_more()
    readers.stop()
    origin.await_former()


def test_an_upload_under_way_is_stored_and_completed(lab):
    origin = lab.origin(workers=0, extra=QUICK)
    studio = studio_of(origin)
    body = bytes(range(256)) * 4096
    made = call("POST", f"{studio.api}/videos", {"title": "t", "filename": "clip.mp4", "size": len(body)},
                studio.token).json()
    parts = urllib.parse.urlsplit(made["upload"]["url"])
    temporaries = origin.dir / "data" / "objects" / ".tmp"
    with lab.client(origin) as creator:
        creator.send((f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: 127.0.0.1:{origin.port}\r\n"
                      f"Content-Length: {len(body)}\r\n\r\n").encode() + body[:100000])
        until(lambda: any(temporaries.iterdir()), "the upload has begun")
        restarted(origin)
        creator.send(body[100000:])
        assert creator.read().status == 200
    origin.await_former()
    (stored,) = (origin.dir / "data" / "objects" / "uploads" / made["id"]).iterdir()
    stored = stored.read_bytes()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(body).digest()
    assert call("POST", f"{studio.api}/videos/{made['id']}/complete", {}, studio.token).status == 202


def test_a_transcode_under_way_is_given_back_and_done_by_the_new_process(lab):
    origin = lab.origin(workers=1, extra=QUICK + "worker_threads: 1\n")
    studio = studio_of(origin)
    clip = lab.clip(seconds=8, size="640x360")
    made = studio.create(clip)
    studio.upload(made["upload"]["url"], clip)
    studio.complete(made["id"])
    until(lambda: studio.status(made["id"])["progress"] >= 10, "the transcode is under way", 60)
    restarted(origin)
    studio.follow(made["id"])
    origin.await_former()
    assert get(studio.manifest(made["id"])).status == 200
    published = [line for line in origin.log_lines() if "published a video" in line]
    assert len(published) == 1
    assert not [line for line in origin.log_lines() if "took back jobs" in line]


def test_a_new_process_that_cannot_start_changes_nothing(lab):
    origin = lab.origin(workers=1, extra=QUICK)
    config = origin.config_path.read_text()
    origin.config_path.write_text(config.replace("workers: 1", "workers: some"))
    assert origin.restart().status == 422
    origin.config_path.write_text(config)
    assert get(f"{origin.url}/api/v1/videos").status == 200
    assert get(origin.admin + "/reload", "POST").status == 404
