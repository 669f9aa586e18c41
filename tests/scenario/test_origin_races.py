"""Everybody at once, and too late: uploads that are ended by several, URLs that are sent again, and
what goes while it is read. One origin for all of it."""
import base64
import hashlib
import threading

import pytest

from catalogue import CONFIG, Catalogue
from lab import get, until
from lab_disk import fill_up, own_disk
from lab_wire import Client, call
from test_upload_parts import BODY, PARTS, Parted, code
from uploader import Uploader

SEGMENT = "v/360p/seg-00001.m4s"


@pytest.fixture(scope="module")
def site(module_lab):
    origin = module_lab.origin(workers=0, extra=CONFIG + "transcode:\n  encryption: cenc\n", clock=True)
    site = Catalogue(origin)
    site.ada, site.uploader = site.person("ada@example.org", "Ada"), Uploader(module_lab, origin, "eve")
    return site


def together(*acts):
    """Does all of them at once; gives what each returned, in their order."""
    start, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(i, act):
        start.wait()
        results[i] = act()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def left_of(site, video):
    """Every file that has to do with it."""
    return [path for path in site.objects.rglob("*") if path.is_file() and video in str(path)]


def joins(etags):
    items = "".join(f"<Part><PartNumber>{i + 1}</PartNumber><ETag>{etag}</ETag></Part>"
                    for i, etag in enumerate(etags))
    return f"<CompleteMultipartUpload>{items}</CompleteMultipartUpload>".encode()


def test_urls_that_are_sent_again_change_nothing(site):
    eve = site.uploader
    it = Parted(eve)
    etags = it.put_all()
    begin, part, join, abort = (it.sign("POST"), it.sign("PUT", uploadId=it.upload, partNumber=1),
                                it.sign("POST", uploadId=it.upload),
                                it.sign("DELETE", uploadId=it.upload))
    other = BODY[::-1][:len(PARTS[0])]
    done = get(join, "POST", {}, joins(etags))
    assert done.status == 200, done.body
    assert get(join, "POST", {}, joins(etags)).body == done.body
    assert code(get(part, "PUT", {}, other)) == "NoSuchUpload"
    assert code(get(abort, "DELETE")) == "NoSuchUpload"
    eve.assert_whole(it.video, BODY)
    for url, method, body in ((begin, "POST", b""), (part, "PUT", other), (abort, "DELETE", b"")):
        answer = get(url, method, {}, body)
        assert answer.status in (404, 409), (method, answer.status, answer.body)
    assert get(join, "POST", {}, joins(etags)).body == done.body
    stored = eve.source(it.video)
    assert hashlib.sha256(stored.read_bytes()).digest() == hashlib.sha256(BODY).digest()
    assert left_of(site, it.video) == [stored]
    assert call("DELETE", f"{site.api}/videos/{it.video}", token=eve.token).status == 204
    for url, method, body in ((begin, "POST", b""), (part, "PUT", other), (join, "POST", joins(etags))):
        assert get(url, method, {}, body).status in (403, 404)
    assert left_of(site, it.video) == []


@pytest.mark.parametrize("with_deletion", (False, True), ids=("completed and aborted", "and deleted"))
def test_who_ends_an_upload_at_once_with_others_leaves_it_whole_or_gone(site, with_deletion):
    eve = site.uploader
    it = Parted(eve)
    etags = it.put_all()
    join, abort = it.sign("POST", uploadId=it.upload), it.sign("DELETE", uploadId=it.upload)
    part = it.sign("PUT", uploadId=it.upload, partNumber=2)
    acts = [*[lambda: get(join, "POST", {}, joins(etags)).status] * 2,
            *[lambda: eve.complete(it.video).status] * 2,
            *[lambda: get(abort, "DELETE").status] * 2,
            lambda: get(part, "PUT", {}, PARTS[1]).status]
    if with_deletion:
        acts += [lambda: call("DELETE", f"{site.api}/videos/{it.video}", token=eve.token).status] * 2
    told = together(*acts)
    assert set(told) <= {200, 202, 204, 400, 403, 404, 409, 503}, told
    assert set(told[:2]) <= {200, 400, 404, 409, 503} and set(told[2:4]) <= {202, 404, 409, 503}, told
    if with_deletion:
        assert 204 in told[-2:], told
        until(lambda: left_of(site, it.video) == [], "nothing is left of a video that is gone")
        task = site.take()
        assert not task or task["video"] != it.video, "nobody makes what is gone"
        return
    status = call("GET", f"{site.api}/videos/{it.video}/status", token=eve.token).json()["status"]
    assert (status == "queued") == (202 in told[2:4]), (status, told)
    if 200 in told[:2] or 202 in told[2:4]:
        eve.assert_whole(it.video, BODY)
        until(lambda: left_of(site, it.video) == [eve.source(it.video)], "the file alone is there")
    else:
        assert 204 in told[4:6], told
        until(lambda: left_of(site, it.video) == [], "nothing is left of it")
    call("DELETE", f"{site.api}/videos/{it.video}", token=eve.token)


def test_what_is_deleted_while_it_is_read_is_read_to_its_end(site):
    body = bytes(range(256)) * (48 * 1024)
    video = site.publish(site.ada, media=[(SEGMENT, body)])
    url = f"{site.origin.url}/media/{video}/{site.version}/{SEGMENT}"
    with Client(site.origin.port) as reader:
        reader.request(url.removeprefix(site.origin.url))
        assert reader.read_head().status == 200
        assert site.ada.delete(f"videos/{video}").status == 204
        assert left_of(site, video) == []
        assert get(url).status == 404
        assert hashlib.sha256(reader.read_body()).digest() == hashlib.sha256(body).digest()


# ---- keys ------------------------------------------------------------------------


def licence(site, key, person=None, query=""):
    kid = base64.urlsafe_b64encode(bytes.fromhex(key["kid"])).decode().rstrip("=")
    return call("POST", f"{site.api}/licences/clearkey{query}", {"kids": [kid]}, person and person.token)


def encrypted(site, **fields):
    """A video and the key of its media."""
    video, key = site.hand_in(site.ada, **fields), None
    while task := site.take():
        if task["video"] != video:
            site.finish(task)
            continue
        key = task["content_key"] if task["kind"] == "chunk" else key
        assert ("key" in task["content_key"]) == (task["kind"] in ("chunk", "sound")) or \
            task["content_key"]["key"].strip("0") == "", "who does not encrypt has no key"
        site.finish(task)
    return video, key


def test_content_keys_are_for_who_may_play(site):
    bob = site.person("bob@example.org", "Bob")
    video, key = encrypted(site, privacy="private")
    told = licence(site, key, site.ada)
    assert told.status == 200 and "no-store" in told.headers["Cache-Control"]
    octets = told.json()["keys"][0]["k"]
    assert base64.urlsafe_b64decode(octets + "==").hex() == key["key"]
    at = call("GET", f"{site.api}/videos/{video}/manifest", token=site.ada.token).headers["Location"]
    granted = at.partition(f"/media/{video}/")[0].rpartition("/")[2]
    assert "hmac=" in granted
    assert licence(site, key, query=f"?pass={granted}").status == 200
    forged = granted[:-1] + ("1" if granted[-1] == "0" else "0")
    other, other_key = encrypted(site, privacy="private")
    for person, query in ((None, ""), (bob, ""), (None, f"?pass={forged}"), (bob, "?pass="),
                          (None, f"?pass={granted.replace('exp=', 'exp=9')}"),
                          (None, f"?pass={granted.replace(video, other)}")):
        answer = licence(site, key, person, query)
        assert answer.status == 404 and b'"k"' not in answer.body, (query, answer.body)
    assert licence(site, {"kid": "00" * 16}, site.ada).status == 404
    assert licence(site, other_key, site.ada).status == 200
    assert site.ada.ask("DELETE", f"videos/{other}").status == 204
    assert licence(site, other_key, site.ada).status == 404
    site.origin.clock.forward(2 * 24 * 3600)  # no token is good any more, so this is the last
    assert licence(site, key, query=f"?pass={granted}").status == 404, "it has expired"
    assert get(at).status == 404


# ---- no room -----------------------------------------------------------------------


def test_a_publication_that_finds_no_room_is_made_when_there_is(lab):
    """The catalog's disk is full to the last byte while more files are published than a page of a
    listing has."""
    origin = lab.origin(workers=0, extra=CONFIG, objects="file:objects", start=False)
    disk = own_disk(origin.dir / "data", "12m")
    own_disk(origin.dir / "objects", "32m")
    origin.start()
    site = Catalogue(origin)
    site.objects = origin.dir / "objects"
    lists = lambda: origin.metric('origin_objects_requests_total{op="list",store="folder"}')
    ada = site.person("ada@example.org")
    video = site.hand_in(ada)
    while (task := site.take())["kind"] != "finish":
        site.finish(task)
    result = site.result(task, 10000, [(f"v/360p/seg-{n:05}.m4s", b"%d" % n) for n in range(1100)])
    filler = fill_up(disk)
    finish = f"{origin.url}/internal/v1/tasks/finish"
    told = call("POST", finish, {**task, "result": result}, "a-token-that-workers-know")
    assert told.status in (503, 507), (told.status, told.body)
    status = f"{site.api}/videos/{video}/status"
    assert get(status).json()["status"] == "processing"
    filler.unlink()
    before = lists()
    assert call("POST", finish, {**task, "result": result}, "a-token-that-workers-know").status == 204
    assert get(status).json()["status"] == "ready" and site.media(video).status == 200
    assert lists() - before == 2
