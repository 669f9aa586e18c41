"""Workers, here and elsewhere, and their children: whatever is killed, cut off or full, every video
is published, once, whole. FB_VIDEOS=100 makes it a hundred of them."""
import os
import random

from lab import call, get, until
from lab_disk import fill_up, own_disk
from lab_tls import entry, tls_edge
from lab_workers import (TOKEN, check_published, children, is_gone, kill, remote_worker)
from studio import Studio

VIDEOS = int(os.environ.get("FB_VIDEOS", "10"))
SEED = int(os.environ.get("FB_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
QUICK = "auth:\n  hash_memory: 1MiB\n"
REMOTE = QUICK + f"worker_token: {TOKEN}\njobs:\n  lease: 1s\n  backoff: 100ms\n"
# Whose tasks are killed at random, more often than they may crash by preset.
PATIENT = REMOTE + "  attempts:\n    crashed: 1000\n    lost: 1000\n"


def studio_of(origin):
    studio = Studio(origin.url)
    studio.sign_up("ada@example.org", "correct horse battery")
    return studio


def hand_in(studio, path):
    made = studio.create(path)
    studio.upload(made["upload"]["url"], path)
    studio.complete(made["id"])
    return made["id"]


def objects_of(origin):
    return f"file:{origin.dir}/data/objects"


def scratch_is_clean(program, folder="scratch"):
    until(lambda: not [path for path in (program.dir / folder).rglob("*")
                       if path.is_file() and "sources" not in path.parts],
          f"the scratch of {program.name} is clean")


def test_whatever_is_killed_every_video_is_published_once(lab):
    print(f"FB_SEED={SEED}")
    chance = random.Random(SEED)
    origin = lab.origin(workers=1, extra=PATIENT)
    workers = [remote_worker(lab, origin, "worker-1", objects_of(origin)),
               remote_worker(lab, origin, "worker-2")]
    studio = studio_of(origin)
    clip = lab.clip(seconds=1, size="160x90")
    videos = [hand_in(studio, clip) for _ in range(VIDEOS)]
    waiting, kills = set(videos), 0

    def done():
        for video in list(waiting):
            told = studio.status(video)
            assert told["status"] != "failed", told
            waiting.difference_update({video} if told["status"] == "ready" else set())
        return len(videos) - len(waiting)

    while waiting:
        victim = chance.choice([origin, *workers])
        pids = until(lambda victim=victim: children(victim) or not done() < len(videos),
                     f"{victim.name} has a task", 120)
        if not waiting:
            break
        kills += 1
        if chance.random() < 0.6:
            for pid in pids:
                kill(pid)
        else:
            victim.kill()
            until(lambda pids=pids: all(map(is_gone, pids)), "its child is gone with it")
            victim.start()
        before = done()
        if kills >= VIDEOS:
            until(lambda: done() == len(videos), "all are ready", 60 + 10 * VIDEOS)
        elif chance.random() < 0.5:
            until(lambda before=before: done() > before or not waiting, "one more is ready", 120)
    print(f"{kills} kills")
    check_published(origin, videos)
    origin.stop()
    origin.clock = lab.clock()  # what a late worker may still write is swept after a while
    origin.clock.forward(3600)
    origin.start()
    until(lambda: not any((origin.dir / "data" / "objects" / "work").glob("*/*/*")),
          "what the tasks told each other is swept")
    for program, folder in ((origin, "data/scratch"), *((worker, "scratch") for worker in workers)):
        scratch_is_clean(program, folder)


def test_a_worker_elsewhere_has_objects_over_tls(lab, authority):
    origin = lab.origin(workers=0, extra=REMOTE)
    front = tls_edge(lab, origin, entry("players", [authority.issue("127.0.0.1", ["localhost"])]))
    worker = remote_worker(lab, origin, url=f"https://localhost:{front.tls_port}",
                           extra=f"authorities: {authority.path}\n")
    studio = studio_of(origin)
    videos = [hand_in(studio, lab.clip(seconds=2, size="320x180")) for _ in range(2)]
    for video in videos:
        studio.follow(video, deadline=120)
        assert get(studio.manifest(video)).status == 200
    check_published(origin, videos)
    scratch_is_clean(worker)


def test_a_worker_does_not_talk_to_whom_nobody_has_signed(lab, authority, stranger):
    origin = lab.origin(workers=0, extra=REMOTE)
    front = tls_edge(lab, origin, entry("players", [authority.issue("127.0.0.1", ["localhost"])]))
    worker = remote_worker(lab, origin, url=f"https://localhost:{front.tls_port}",
                           extra=f"authorities: {stranger.path}\n")
    until(lambda: "could not take a task" in worker.log(), "it says so")
    assert "internal" not in origin.log()


def test_what_two_workers_finish_is_published_once(lab):
    """The one is stopped (as if it slept) until the other has done its task anew; then it goes on."""
    origin = lab.origin(workers=0, extra=REMOTE)
    studio = studio_of(origin)
    first = remote_worker(lab, origin, "worker-1", objects_of(origin))
    video = hand_in(studio, lab.clip(seconds=4, size="320x180"))
    until(lambda: children(first), "it has a task", 60)
    first.process.send_signal(19)  # SIGSTOP; its child works on
    second = remote_worker(lab, origin, "worker-2")
    studio.follow(video, deadline=120)
    first.process.send_signal(18)  # SIGCONT
    until(lambda: "lost the lease" in first.log(), "it learns that it was too late")
    check_published(origin, [video])
    scratch_is_clean(first)
    scratch_is_clean(second)


def test_a_worker_whose_disk_is_full_leaves_the_work_to_others(lab):
    origin = lab.origin(workers=0, extra=REMOTE)
    studio = studio_of(origin)
    video = hand_in(studio, lab.clip(seconds=2, size="320x180"))
    full = remote_worker(lab, origin, "worker-1", start=False)
    disk = own_disk(full.dir / "disk", "8m")
    full.config_path.write_text(full.config_path.read_text().replace(
        "scratch: scratch", f"scratch: {disk}/scratch").replace("1MiB", "4KiB"))
    filler = fill_up(disk, leave=64 * 1024)
    full.start()
    until(lambda: "no room for the work" in full.log(), "it finds no room", 30)
    remote_worker(lab, origin, "worker-2")
    studio.follow(video, deadline=60)
    filler.unlink()


def test_who_stops_gives_its_task_back_at_once(lab):
    origin = lab.origin(workers=0, extra=QUICK + f"worker_token: {TOKEN}\njobs:\n  lease: 1h\n")
    studio = studio_of(origin)
    first = remote_worker(lab, origin, "worker-1")
    video = hand_in(studio, lab.clip(seconds=8, size="640x360"))
    pids = until(lambda: children(first), "it has a task", 60)
    first.stop()
    assert all(map(is_gone, pids))
    remote_worker(lab, origin, "worker-2")
    studio.follow(video, deadline=120)


def test_what_confines_the_children_is_told(lab):
    origin = lab.origin(workers=1, extra=QUICK)
    workers = origin.status()["workers"]
    assert "seccomp" in workers["sandbox"] and "landlock" in workers["sandbox"]
    assert "Lavc" in workers["toolchain"]
    assert call("GET", origin.admin + "/status").status == 200
