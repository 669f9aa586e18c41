"""What operators see of jobs, and what they can do: dead letters, retries, priorities, need."""
import pytest

from catalogue import CONFIG, TOKEN, TOOLS, Catalogue
from lab_wire import call, get, until

ADMIN = "root@example.org"
WATCHED = CONFIG + f"admins: [{ADMIN}]\n"


@pytest.fixture
def site(lab):
    origin = lab.origin(workers=0, extra=WATCHED.replace("lease: 1h", "lease: 1h\n  backoff: 10ms"))
    site = Catalogue(origin)
    site.admin, site.ada = site.person(ADMIN), site.person("ada@example.org", "Ada")
    return site


def fail(site, task, reason="crashed", final=False):
    site.internal("fail", {**task, "reason": reason, "is_final": final, "sentence": "It broke.",
                           "log": f"last words of {reason}"})


def dead(site, reason="crashed"):
    """A video whose PREPARE fails for good; returns it."""
    video = site.hand_in(site.ada)
    fail(site, until(site.take, "the task is there"), reason, True)
    assert get(f"{site.api}/videos/{video}/status").json()["status"] == "failed"
    return video


def letters(site, query=""):
    told = site.admin.get(f"admin/jobs{query}")
    assert told.status == 200, told.body
    return told.json()["jobs"]


def test_a_dead_letter_tells_of_every_attempt(site):
    video = site.hand_in(site.ada)
    for attempt in range(3):
        task = until(site.take, f"attempt {attempt}")
        assert task["attempt"] == attempt + 1
        fail(site, task)
    letter, = letters(site)
    assert (letter["video"], letter["reason"], letter["sentence"]) == (video, "crashed", "It broke.")
    whole = site.admin.get(f"admin/jobs/{letter['id']}").json()
    assert [attempt["attempt"] for attempt in whole["attempts"]] == [3, 2, 1]
    assert whole["attempts"][0]["log"] == "last words of crashed"
    assert whole["attempts"][0]["worker"] == "test" and whole["tasks"][0]["state"] == "dead"


def test_dead_letters_are_for_admins(site):
    dead(site)
    letter, = letters(site)
    for person, status in ((site.ada, 403), (site.admin, 200)):
        assert person.get("admin/jobs").status == status
        assert person.get(f"admin/jobs/{letter['id']}").status == status
    assert site.ada.post(f"admin/jobs/{letter['id']}/retry").status == 403
    assert get(f"{site.api}/admin/jobs").status == 401


def test_what_is_retried_goes_on_and_is_published(site):
    video = dead(site)
    letter, = letters(site)
    assert site.admin.post(f"admin/jobs/{letter['id']}/retry").status == 202
    assert site.admin.post(f"admin/jobs/{letter['id']}/retry").status == 409
    assert get(f"{site.api}/videos/{video}/status").json()["status"] == "queued"
    assert site.work() == video
    assert get(f"{site.api}/videos/{video}/status").json() == {
        "id": video, "status": "ready", "progress": 100, "stage": "full"}
    assert not letters(site) and letters(site, "?state=done")[0]["video"] == video


def test_all_of_a_reason_are_retried_and_no_others(site):
    videos = {dead(site, "codec"), dead(site, "codec")}
    other = dead(site, "memory")
    assert len(letters(site, "?reason=codec")) == 2
    told = site.admin.post("admin/jobs/retry", {"reason": "codec"})
    assert (told.status, told.json()) == (202, {"retried": 2})
    assert [letter["video"] for letter in letters(site)] == [other]
    assert {site.work(), site.work()} == videos
    assert site.admin.post("admin/jobs/retry", {"reason": "bad luck"}).status == 422


def test_a_priority_moves_a_job(site):
    first, second = site.hand_in(site.ada), site.hand_in(site.ada)
    jobs = {job["video"]: job["id"] for job in letters(site, "?state=active")}
    assert site.admin.ask("PUT", f"admin/jobs/{jobs[second]}/priority", {"priority": "first"}).status == 204
    assert site.work() == second and site.work() == first
    assert site.admin.ask("PUT", f"admin/jobs/{jobs[first]}/priority", {"priority": "first"}).status == 404


def test_a_video_is_made_anew_behind_what_is_new(site):
    old = site.publish(site.ada)
    before = site.about(old)
    assert site.admin.post(f"admin/videos/{old}/remake").status == 202
    assert site.admin.post(f"admin/videos/{old}/remake").status == 409
    new = site.hand_in(site.ada)
    assert site.about(old)["status"] == "ready"
    assert site.work() == new and site.work() == old
    assert site.about(old)["published_at"] == before["published_at"]


def test_what_one_may_choose_reaches_the_worker(site):
    refused = site.ada.post("videos", {"title": "t", "filename": "f", "size": 4, "options": {"crf": 1}})
    assert refused.status == 422
    site.hand_in(site.ada, options={"loudness": True, "storyboard": False})
    task = site.take()
    assert task["request"]["loudness"] is True and task["request"]["storyboard"] is False


def test_when_too_much_waits_what_is_optional_is_left_out(lab):
    origin = lab.origin(workers=0, extra=WATCHED.replace("lease: 1h", "lease: 1h\n  degrade_after: 1ms")
                        + "transcode:\n  av1: true\n")
    site = Catalogue(origin)
    ada = site.person("ada@example.org")
    video = site.hand_in(ada)

    def degraded():
        jobs = origin.status()["jobs"]
        return jobs["degraded"] and jobs["tasks"]["ready"] == 1
    until(degraded, "the origin is in need", 30)
    task = site.take()
    assert task["request"]["is_degraded"] is True and task["request"]["with_av1"] is True
    site.finish(task)
    assert site.work() == video
    assert ada.get(f"videos/{video}").json()["degraded"] is True


def test_tasks_wait_for_the_tools_they_were_prepared_with(site):
    video = site.hand_in(site.ada)
    site.finish(site.take())
    assert site.take(tools="others") is None
    task = site.take(tools=TOOLS)
    assert task["video"] == video and task["kind"] in ("chunk", "sound")
    lost = {**task, "lease": task["job"]}
    assert call("POST", f"{site.origin.url}/internal/v1/tasks/renew", lost, TOKEN).status == 409
