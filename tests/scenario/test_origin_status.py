"""Status: whoever waits for a video hears of its progress, once and as it goes on."""
import http.client
import json
import subprocess

from lab import ADMIN, call, get, until
from lab_workers import TOKEN, Gate, remote_worker
from studio import Studio
from test_origin_webhooks import SECRET, Receiver

CONFIG = "auth:\n  hash_memory: 1MiB\n"


class Events:
    """A client of the server-sent events of one video's status."""

    def __init__(self, origin, video, token=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", origin.port, timeout=60)
        self.connection.request("GET", f"/api/v1/videos/{video}/status/stream",
                                headers={"Authorization": f"Bearer {token}"} if token else {})
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.headers["Content-Type"] == "text/event-stream"

    def __iter__(self):
        while line := self.response.readline():
            if line.startswith(b"event: "):
                assert line == b"event: status\n"
            if line.startswith(b"data: "):
                yield json.loads(line[6:])
        self.connection.close()


class Creator(Studio):
    def __init__(self, origin):
        super().__init__(origin.url)
        self.sign_up()

    def begin(self, path, **about):
        self.path, self.made = path, self.create(path, **about)
        return self.made["id"]

    def hand_in(self):
        self.upload(self.made["upload"]["url"], self.path)
        self.complete(self.made["id"])


def test_a_video_is_followed_to_its_end(lab):
    origin = lab.origin(workers=1, extra=CONFIG)
    creator = Creator(origin)
    video = creator.begin(lab.clip("-c:a", "aac", seconds=12, size="640x360"))
    told = iter(Events(origin, video))
    assert next(told) == {"id": video, "status": "uploading", "progress": 0}
    creator.hand_in()
    seen = list(told)  # the stream ends by itself
    assert [state["progress"] for state in seen] == sorted(state["progress"] for state in seen)
    assert {state["status"] for state in seen} <= {"queued", "processing", "ready"}
    assert seen[-1]["status"] == "ready" and seen[-1]["progress"] == 100
    assert seen[-1] == creator.status(video)


def decoded(playlist):
    """Width, height and number of the pictures of its video, as ffmpeg decodes them."""
    done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-count_frames", "-show_streams",
                           "-of", "json", playlist], capture_output=True, text=True, check=True)
    assert not done.stderr
    return [(one["width"], one["height"], int(one["nb_read_frames"])) for one in json.loads(done.stdout)["streams"]]


def test_the_smallest_rendition_is_seen_before_the_others_are_made(lab):
    """The late pass is given to nobody until the early one has been watched."""
    receiver = Receiver()
    origin = lab.origin(workers=0, extra=CONFIG + f"worker_token: {TOKEN}\njobs: {{lease: 1h}}\n"
                        f"webhooks: [{{url: '{receiver.url}', secret: {SECRET}}}]\n")
    gate = Gate(origin, lambda task: task["pass"] != 2)
    remote_worker(lab, origin, objects=f"file:{origin.dir}/data/objects", url=gate.url)
    creator = Creator(origin)
    video = creator.begin(lab.clip("-c:a", "aac", seconds=2, size="426x240"), options={"early_ready": True})
    creator.hand_in()
    told = iter(Events(origin, video))
    early = next(state for state in told if state["status"] == "ready")
    assert early["stage"] == "early" and early["progress"] < 100
    until(lambda: gate.held, "the others were to be made next")
    assert creator.status(video)["stage"] == "early"
    entry = creator.manifest(video)
    assert entry.endswith("/early.m3u8") and decoded(entry) == [(256, 144, 50)]
    assert all(creator.manifest(video, kind) == entry.replace(".m3u8", ".mpd") for kind in ("dash", "ondemand"))
    assert decoded(entry.replace(".m3u8", ".mpd")) == [(256, 144, 50)]
    segment = entry.replace("early.m3u8", "v/144p/seg-00001.m4s")
    seen = get(segment).body
    assert get(entry.replace("early", "master")).status == 404
    until(lambda: receiver.kinds() == [("video.ready", video)], "its owner is told that it can be seen")
    gate.is_open.set()
    *_, full = told  # the stream ends by itself
    assert (full["status"], full["stage"], full["progress"]) == ("ready", "full", 100)
    entry = creator.manifest(video)
    assert entry.endswith("/master.m3u8") and decoded(entry) == [(426, 240, 50), (256, 144, 50)]
    assert get(segment).body == seen, "who plays the early one goes on"
    until(lambda: receiver.kinds() == [("video.ready", video), ("video.full", video)], "and that all is there")
    assert receiver.taken[0]["video"]["version"] == receiver.taken[1]["video"]["version"]


def test_what_fails_is_told_with_its_reason(lab):
    origin = lab.origin(workers=1, extra=CONFIG)
    creator = Creator(origin)
    junk = lab.dir / "junk.mp4"
    junk.write_bytes(b"no video at all " * 1000)
    told = iter(Events(origin, creator.begin(junk)))
    creator.hand_in()
    *_, last = told
    assert last["status"] == "failed" and len(last["reason"]) > 20


def test_a_private_video_is_followed_by_its_owner_alone(lab):
    origin = lab.origin(workers=0, extra=CONFIG + f"admins: [{ADMIN}]\n")
    creator, other, admin = Creator(origin), Creator(origin), Studio(origin.url)
    admin.sign_up(ADMIN)
    video = creator.begin(lab.clip(seconds=1))
    everybody = [iter(Events(origin, video, token))
                 for token in (creator.token, admin.token, other.token, None, "no token at all")]
    first = {"id": video, "status": "uploading", "progress": 0}
    assert [next(told) for told in everybody] == [first] * 5
    answer = call("PATCH", f"{creator.api}/videos/{video}", {"privacy": "private"}, creator.token)
    assert answer.status == 200, answer.body
    owner, admins, *others = everybody
    assert [list(told) for told in others] == [[None]] * 3, "who may not see it any more hears that it is gone"
    assert list(Events(origin, video)) == list(Events(origin, video, other.token)) == [None]
    creator.hand_in()
    assert next(owner)["status"] == next(admins)["status"] == "queued"
    assert call("DELETE", f"{creator.api}/videos/{video}", None, creator.token).status == 204
    assert list(owner)[-1:] == list(admins)[-1:] == [None]


def test_what_is_not_there_is_told_once(lab):
    origin = lab.origin(workers=0, extra=CONFIG)
    assert list(Events(origin, "a" * 26)) == [None]
    assert get(f"{origin.url}/api/v1/videos/nonsense/status/stream").status == 404


def test_a_stop_ends_what_stands(lab):
    origin = lab.origin(workers=0, extra=CONFIG)
    creator = Creator(origin)
    clip = lab.dir / "clip.mp4"
    clip.write_bytes(b"x")
    told = iter(Events(origin, creator.begin(clip)))
    assert next(told)["status"] == "uploading"
    origin.terminate()
    assert list(told) == []
    assert origin.wait() == 0
