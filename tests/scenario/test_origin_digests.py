"""What workers say of the bytes that they made is not believed: nothing is published whose digests
are not those of what is stored."""
import hashlib
import json

import pytest

from catalogue import CONFIG, TOKEN, Catalogue
from lab_wire import call, get, until

ADMIN = "root@example.org"
SEGMENT, DAMAGED = b"a segment of a video", b"a segment of a vidio"
NAME = "v/360p/seg-00001.m4s"


@pytest.fixture(scope="module")
def site(module_lab):
    origin = module_lab.origin(workers=0, extra=CONFIG.replace(
        "lease: 1h", "lease: 1h\n  backoff: 10ms\n  attempts:\n    missing: 1") + f"admins: [{ADMIN}]\n")
    site = Catalogue(origin)
    site.admin, site.ada = site.person(ADMIN), site.person("ada@example.org", "Ada")
    return site


def sha256(body):
    return hashlib.sha256(body).digest()


def finish(site, task, result):
    return call("POST", f"{site.origin.url}/internal/v1/tasks/finish", {**task, "result": result},
                TOKEN)


def part(site, video, kind):
    """The task of that kind of this video; what comes before is done."""
    while (task := until(site.take, f"the {kind} is there"))["kind"] != kind:
        assert task["video"] == video
        site.finish(task)
    return task


def media(task, name=NAME):
    return f"media/{task['video']}/{task['version']}/{name}"


def listed(name, body, **told):
    return {"path": name, "type": "video/mp4", "size": len(body), "sha256": sha256(body).hex(), **told}


def give_up(site, task, slug="files-missing"):
    """As a worker does whose finish was refused; the video has failed, with a reason."""
    site.internal("fail", {**task, "reason": "missing", "is_final": False, "sentence": "", "log": ""})
    told = get(f"{site.api}/videos/{task['video']}/status").json()
    assert told["status"] == "failed" and "our side" in told["reason"], told
    letter = site.admin.get("admin/jobs").json()["jobs"][0]
    assert (letter["video"], letter["reason"]) == (task["video"], "missing")


def test_what_is_sent_must_be_what_was_declared(site):
    video = site.hand_in(site.ada)
    chunk = part(site, video, "chunk")
    assert site.send(chunk, media(chunk), DAMAGED, sha256(SEGMENT)).status == 400
    assert not (site.objects / media(chunk)).exists()
    assert site.send(chunk, media(chunk), SEGMENT, sha256(SEGMENT)).status == 204
    assert (site.objects / media(chunk)).read_bytes() == SEGMENT
    site.finish(chunk)
    while (task := site.take()):
        site.finish(task)


@pytest.mark.parametrize("by_lease", (True, False), ids=("by the origin", "with its own store"))
def test_a_digest_of_other_bytes_than_were_stored_is_not_published(site, by_lease):
    video = site.hand_in(site.ada)
    chunk = part(site, video, "chunk")
    if by_lease:
        assert site.send(chunk, media(chunk), DAMAGED).status == 204
    else:
        site.put(media(chunk), DAMAGED)
    site.finish(chunk)
    last = part(site, video, "finish")
    result = site.result(last, 10000, ())
    result["files"].append(listed(NAME, SEGMENT))
    answer = finish(site, last, result)
    assert answer.status == 422 and answer.json()["type"].endswith("files-missing"), answer.body
    assert site.media(video).status == 404
    give_up(site, last)


def test_a_part_that_tells_another_digest_than_was_sent_is_not_done(site):
    video = site.hand_in(site.ada)
    chunk = part(site, video, "chunk")
    assert site.send(chunk, media(chunk), DAMAGED).status == 204
    site.put(f"work/{video}/{chunk['version']}/chunk-0-00000.json", b"{}")
    assert finish(site, chunk, {"files": [listed(NAME, SEGMENT)]}).status == 422
    give_up(site, chunk)


def test_another_worker_makes_it_good(site):
    """What was sent last counts, and what is told of that."""
    video = site.hand_in(site.ada)
    chunk = part(site, video, "chunk")
    assert site.send(chunk, media(chunk), DAMAGED).status == 204
    site.internal("give-back", chunk)
    chunk = part(site, video, "chunk")
    site.put(media(chunk), SEGMENT)  # by a store of its own: the origin looks
    site.put(f"work/{video}/{chunk['version']}/chunk-0-00000.json", b"{}")
    assert finish(site, chunk, {"files": [listed(NAME, SEGMENT)]}).status == 204
    last = part(site, video, "finish")
    result = site.result(last, 10000, ())
    result["files"].append(listed(NAME, SEGMENT))
    assert finish(site, last, result).status == 204
    assert get(f"{site.origin.url}/{media(last)}").body == SEGMENT


def test_what_is_not_there_is_not_published(site):
    video = site.hand_in(site.ada)
    last = part(site, video, "finish")
    for file in (listed("v/none.m4s", SEGMENT), listed("zz", b""),
                 listed("master.m3u8", b"#EXTM3U\n", size=9)):
        result = site.result(last, 10000, ())
        result["files"] = [one for one in result["files"] if one["path"] != file["path"]] + [file]
        assert finish(site, last, result).status == 422, file
    assert finish(site, last, {**site.result(last, 10000, ()), "version": "f" * 16}).status == 422
    page = site.result(last, 10000, [("page.mp4", b"<script>")])
    page["files"][1]["type"] = "text/html"
    assert finish(site, last, page).status == 422, "no worker puts pages beside the site"
    give_up(site, last)


def test_a_publish_list_that_says_something_else_is_not_published(site):
    video = site.hand_in(site.ada)
    last = part(site, video, "finish")
    other = json.dumps({"files": [listed("master.m3u8", b"#EXTM3V\n")]}).encode()
    assert finish(site, last, site.result(last, 10000, [("publish.json", other)])).status == 422
    true = json.dumps({"files": [listed("master.m3u8", b"#EXTM3U\n")]}).encode()
    assert finish(site, last, site.result(last, 10000, [("publish.json", true)])).status == 204
    assert site.media(video).status == 200


def test_what_is_published_is_not_changed_by_who_makes_it_anew(site):
    video = site.hand_in(site.ada)
    chunk = part(site, video, "chunk")
    assert site.send(chunk, media(chunk), SEGMENT).status == 204
    site.finish(chunk)
    last = part(site, video, "finish")
    result = site.result(last, 10000, ())
    result["files"].append(listed(NAME, SEGMENT))
    assert finish(site, last, result).status == 204
    assert site.admin.post(f"admin/videos/{video}/remake").status == 202
    again = part(site, video, "chunk")
    assert again["version"] == chunk["version"] and again["job"] != chunk["job"]
    assert site.send(again, media(again), DAMAGED).status == 400
    assert get(f"{site.origin.url}/{media(again)}").body == SEGMENT
    (site.objects / media(again)).unlink()  # lost: it is brought back
    assert site.send(again, media(again), SEGMENT).status == 204
    assert site.send(again, media(again, "master.m3u8"), b"#EXTM3U\n#\n").status == 204
    site.finish(again)
    while (task := site.take()):
        site.finish(task)
    assert get(f"{site.origin.url}/{media(again)}").body == SEGMENT
