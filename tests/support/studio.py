"""A creator at the origin's API: account, upload, waiting for the video."""
import http.client
import pathlib
import secrets
import time
import urllib.parse

from lab_wire import call, get

PIECE = 256 * 1024


class Refused(Exception):
    """The API answered with something else than what the step needs."""


def _wanted(response, status, step):
    if response.status != status:
        raise Refused(f"{step}: {response.status} {response.body[:400].decode(errors='replace')}")
    return response.json() if response.body else {}


class Studio:
    def __init__(self, origin_url):
        self.api = origin_url + "/api/v1"
        self.token = self.session = None

    def sign_up(self, email=None, password=None):
        account = {"email": email or f"{secrets.token_hex(6)}@example.org",
                   "password": password or secrets.token_urlsafe(18)}
        _wanted(call("POST", f"{self.api}/auth/register", account), 201, "registering")
        answer = _wanted(call("POST", f"{self.api}/auth/login", account), 200, "logging in")
        self.session, self.token = answer, answer["access_token"]
        return account

    def create(self, path, title=None, description="", tags=(), **more):
        path = pathlib.Path(path)
        return _wanted(call("POST", f"{self.api}/videos", {
            "title": title or path.stem, "description": description, "tags": list(tags),
            "filename": path.name, "size": path.stat().st_size, **more}, self.token), 201, "creating")

    def upload(self, url, path, progress=lambda share: None):
        """Streams the file to the presigned URL; progress(0.0 ... 1.0) on the way."""
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        size, sent = pathlib.Path(path).stat().st_size, 0
        connection.putrequest("PUT", f"{parts.path}?{parts.query}")
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        with open(path, "rb") as source:
            while piece := source.read(PIECE):
                connection.send(piece)
                sent += len(piece)
                progress(sent / size)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status not in (200, 201, 204):
            raise Refused(f"uploading: {response.status} {body[:400].decode(errors='replace')}")

    def complete(self, video_id):
        response = call("POST", f"{self.api}/videos/{video_id}/complete", {}, self.token)
        if response.status not in (200, 202):
            raise Refused(f"completing: {response.status} {response.body[:400]!r}")

    def status(self, video_id):
        return _wanted(call("GET", f"{self.api}/videos/{video_id}/status", token=self.token),
                       200, "asking for the status")

    def follow(self, video_id, progress=lambda share: None, deadline=1800.0, pause=0.2):
        """Waits until the video is ready; raises with its reason when it failed."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            told = self.status(video_id)
            if told["status"] == "failed":
                raise Refused(f"the video failed: {told.get('reason', 'no reason given')}")
            progress(told.get("progress", 0) / 100)
            if told["status"] == "ready":
                return told
            time.sleep(pause)
        raise Refused(f"the video was not ready within {deadline:.0f} s")

    def publish(self, path, title=None, progress=lambda step, share: None, **about):
        """All the steps from file to ready video; returns its id."""
        made = self.create(path, title, **about)
        self.upload(made["upload"]["url"], path, lambda share: progress("upload", share))
        self.complete(made["id"])
        self.follow(made["id"], lambda share: progress("transcode", share))
        return made["id"]

    def manifest(self, video_id, kind="hls"):
        """Where a player is sent: the URL behind the API's redirect. `kind` is hls, dash or ondemand."""
        query = "" if kind == "hls" else f"?format={kind}"
        response = get(f"{self.api}/videos/{video_id}/manifest{query}")
        if response.status != 302:
            raise Refused(f"asking for the manifest: {response.status} {response.body[:400]!r}")
        return response.headers["Location"]
