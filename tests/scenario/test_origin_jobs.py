"""From an uploaded file to published media: workers, failures, restarts."""
import pytest

from lab import call, free_port, get, until
from lab_disk import fill_up, own_disk
from studio import Refused, Studio

QUICK = "auth:\n  hash_memory: 1MiB\n"
TOKEN = "a token that workers know"
ASK = {"worker": "w", "toolchain": "of nobody else"}
REMOTE = QUICK + f"worker_token: {TOKEN.replace(' ', '-')}\njobs:\n  lease: 1s\n  backoff: 100ms\n"


def studio_of(origin):
    studio = Studio(origin.url)
    studio.sign_up("ada@example.org", "correct horse battery")
    return studio


def hand_in(studio, path):
    """Creates, uploads and completes; returns the id."""
    made = studio.create(path)
    studio.upload(made["upload"]["url"], path)
    studio.complete(made["id"])
    return made["id"]


def working(studio, video):
    """Waits until a worker is in the middle of it."""
    def some_way():
        told = studio.status(video)
        assert told["status"] in ("queued", "processing"), told
        return 10 <= told["progress"] < 60
    until(some_way, "the transcode is under way", 60)


def worker(lab, origin, name="worker-1", start=True):
    admin = free_port()
    config = (f"node: {name}\nadmin:\n  address: 127.0.0.1:{admin}\norigin: {origin.url}\n"
              f"worker_token: {TOKEN.replace(' ', '-')}\n"
              f"objects: file:{origin.dir}/data/objects\nscratch: scratch\nworkers: 1\nworker_threads: 1\n")
    return lab.program("forebay-worker", name, config, admin=admin, start=start)


def published(origin, video):
    """What the log says of its publication, once it does, which is after the status."""
    def lines():
        return [line for line in origin.log_lines() if "published a video" in line and video in line]
    return until(lines, "the publication is logged")


def test_a_clip_becomes_playlists_and_segments(lab):
    origin = lab.origin(workers=1, extra=QUICK)
    studio = studio_of(origin)
    clip = lab.clip(seconds=3, size="320x180")
    shares = []
    video = studio.publish(clip, title="Käse", tags=["cheese"],
                           progress=lambda step, share: shares.append(share) if step == "transcode" else None)
    assert shares == sorted(shares) and shares[-1] == 1.0
    about = get(f"{studio.api}/videos/{video}").json()
    assert about["title"] == "Käse" and about["tags"] == ["cheese"] and about["has_audio"]
    assert abs(about["duration_ms"] - 3000) < 200 and about["renditions"]
    assert "filename" not in about
    assert [v["id"] for v in get(f"{studio.api}/videos").json()["videos"]] == [video]

    playlist = studio.manifest(video)
    assert playlist.startswith(f"{origin.url}/media/{video}/{about['version']}/")
    text = get(playlist).body.decode()
    rendition = next(line for line in text.splitlines() if line and not line.startswith("#"))
    folder = playlist.rpartition("/")[0] + "/"
    media = get(folder + rendition).body.decode()
    pieces = [line for line in media.splitlines() if line and not line.startswith("#")]
    assert pieces
    for piece in pieces:
        answer = get(folder + rendition.rpartition("/")[0] + "/" + piece)
        assert answer.status == 200 and answer.complete and answer.body
    assert b"<MPD" in get(studio.manifest(video, "dash")).body
    poster = get(about["poster_url"])
    assert poster.headers["Content-Type"] == "image/jpeg" and poster.body[:2] == b"\xff\xd8"
    assert get(f"{studio.api}/videos/{video}/manifest?format=flv").status == 400
    cmcd = "CMCD=sf%3Dv%2Csid%3D%22a%20b%22"
    for query, file in ((cmcd, "master.m3u8"), (f"format=dash&{cmcd}&x=1", "manifest.mpd"),
                        (f"format=ondemand&{cmcd}", "ondemand.mpd")):
        told = get(f"{studio.api}/videos/{video}/manifest?{query}")
        assert told.headers["Location"].endswith(f"/{about['version']}/{file}?{cmcd}")


def test_what_is_not_a_video_fails_with_a_reason(lab):
    origin = lab.origin(workers=1, extra=QUICK)
    studio = studio_of(origin)
    path = lab.dir / "letter.mp4"
    path.write_bytes(b"Dear creator, this is no video. " * 500)
    video = hand_in(studio, path)
    with pytest.raises(Refused) as refusal:
        studio.follow(video, deadline=60)
    told = studio.status(video)
    assert told["status"] == "failed" and told["progress"] < 100
    assert len(told["reason"]) > 20 and told["reason"] in str(refusal.value)
    assert str(lab.dir) not in told["reason"]
    refused = get(f"{studio.api}/videos/{video}/manifest")
    assert refused.status == 409 and refused.json()["type"].endswith("not-ready")


def test_a_killed_origin_goes_on_and_publishes_once(lab):
    origin = lab.origin(workers=1, extra=QUICK + "worker_threads: 1\n")
    studio = studio_of(origin)
    video = hand_in(studio, lab.clip(seconds=10, size="640x360"))
    working(studio, video)
    before = studio.status(video)["progress"]
    origin.kill()
    origin.start()
    assert studio.status(video)["progress"] >= before
    studio.follow(video, deadline=120)
    until(lambda: not list((origin.dir / "data" / "scratch" / "0").iterdir()), "the scratch is clean")
    assert len(published(origin, video)) == 1


def test_a_stopped_origin_returns_the_task_and_goes_on(lab):
    origin = lab.origin(workers=1, extra=QUICK + "worker_threads: 1\n")
    studio = studio_of(origin)
    video = hand_in(studio, lab.clip(seconds=10, size="640x360"))
    working(studio, video)
    origin.stop()
    origin.start()
    studio.follow(video, deadline=120)
    assert '"attempt":1' in published(origin, video)[0]


def test_a_worker_in_another_process_does_the_work(lab):
    origin = lab.origin(workers=0, extra=REMOTE)
    studio = studio_of(origin)
    video = hand_in(studio, lab.clip(seconds=2, size="320x180"))
    assert studio.status(video)["status"] == "queued"
    worker(lab, origin)
    studio.follow(video, deadline=60)
    assert get(studio.manifest(video)).status == 200


def test_a_killed_workers_task_goes_to_another(lab):
    origin = lab.origin(workers=0, extra=REMOTE)
    studio = studio_of(origin)
    video = hand_in(studio, lab.clip(seconds=10, size="640x360"))
    first = worker(lab, origin)
    working(studio, video)
    first.kill()
    worker(lab, origin, "worker-2")
    studio.follow(video, deadline=120)
    assert len(published(origin, video)) == 1


def test_a_stopped_worker_returns_its_task(lab):
    origin = lab.origin(workers=0, extra=REMOTE)
    studio = studio_of(origin)
    video = hand_in(studio, lab.clip(seconds=10, size="640x360"))
    first = worker(lab, origin)
    working(studio, video)
    first.stop()
    assert studio.status(video)["status"] == "queued"


def test_a_worker_outlives_its_origin(lab):
    origin = lab.origin(workers=0, extra=REMOTE)
    studio = studio_of(origin)
    worker(lab, origin)
    origin.stop()
    origin.start()
    video = hand_in(studio, lab.clip(seconds=2, size="320x180"))
    studio.follow(video, deadline=60)


def test_tasks_are_for_those_who_know_the_token(lab):
    origin = lab.origin(workers=0, extra=REMOTE)
    url = origin.url + "/internal/v1/tasks/take"
    for token in (None, "x", TOKEN.replace(" ", "-") + "x"):
        assert call("POST", url, {"worker": "w"}, token).status == 401
    assert call("POST", url, ASK, TOKEN.replace(" ", "-")).status == 204
    for name in ("a\nb", "\x1b[31m", "\u202ea"):
        assert call("POST", url, {**ASK, "worker": name}, TOKEN.replace(" ", "-")).status == 400
    without = lab.origin(name="origin-2", workers=0, extra=QUICK)
    assert call("POST", without.url + "/internal/v1/tasks/take", {"worker": "w"}, "").status == 404


def test_a_deleted_video_is_gone_with_its_files(lab):
    origin = lab.origin(workers=1, extra=QUICK)
    studio = studio_of(origin)
    video = studio.publish(lab.clip(seconds=2, size="320x180"))
    playlist = studio.manifest(video)
    assert call("DELETE", f"{studio.api}/videos/{video}", token=studio.token).status == 204
    assert get(playlist).status == 404
    objects = origin.dir / "data" / "objects"
    assert not (objects / "media" / video).exists() and not (objects / "uploads" / video).exists()


def test_what_a_worker_stored_for_a_video_that_is_gone_is_removed(lab):
    origin = lab.origin(workers=0, extra=REMOTE)
    studio = studio_of(origin)
    clip = lab.dir / "clip"
    clip.write_bytes(b"x")
    video = hand_in(studio, clip)
    tasks, token = origin.url + "/internal/v1/tasks/", TOKEN.replace(" ", "-")
    task = call("POST", tasks + "take", ASK, token).json()
    assert call("DELETE", f"{studio.api}/videos/{video}", token=studio.token).status == 204
    stored = origin.dir / "data" / "objects" / "media" / video / "0123456789abcdef"
    stored.mkdir(parents=True)
    (stored / "master.m3u8").write_text("#EXTM3U")
    task = {name: task[name] for name in ("task", "lease", "video")}
    assert call("POST", tasks + "give-back", task, token).status == 409
    assert not stored.parent.exists()


def test_a_full_disk_costs_no_video_its_attempts(lab):
    objects = own_disk(lab.dir / "objects", "8m")
    origin = lab.origin(workers=1, start=False, extra=QUICK + "data: data\njobs:\n  attempts:\n    store: 1\n    internal: 1\n")
    text = origin.config_path.read_text()
    origin.config_path.write_text(text.replace("file:data/objects", f"file:{objects}"))
    origin.start()
    studio = studio_of(origin)
    clip = lab.clip(seconds=2, size="320x180")
    made = studio.create(clip)
    studio.upload(made["upload"]["url"], clip)
    filler = fill_up(objects)
    studio.complete(made["id"])
    until(lambda: "no room for the work" in origin.log(), "the worker finds no room", 30)
    until(lambda: studio.status(made["id"])["status"] == "queued", "the video waits")
    filler.unlink()
    assert studio.follow(made["id"], deadline=60)["status"] == "ready"
