"""Uploads at the real origin: what is signed is what arrives, or nothing does."""
import hashlib
import urllib.parse

from lab import Cut, call, get, until

QUICK = "auth:\n  hash_memory: 1MiB\n"
ACCOUNT = {"email": "ada@example.org", "password": "correct horse battery"}


class Creator:
    def __init__(self, lab, extra=QUICK, clock=None):
        self.origin = lab.origin(workers=0, extra=extra, clock=clock)
        self.api = self.origin.url + "/api/v1"
        assert call("POST", self.api + "/auth/register", ACCOUNT).status == 201
        self.token = call("POST", self.api + "/auth/login", ACCOUNT).json()["access_token"]

    def create(self, size, **more):
        answer = call("POST", self.api + "/videos",
                      {"title": "t", "filename": "clip.mp4", "size": size, **more}, self.token)
        assert answer.status == 201
        return answer.json()

    def complete(self, video):
        return call("POST", f"{self.api}/videos/{video['id']}/complete", {}, self.token)

    def source(self, video):
        """The file that is there, or None."""
        folder = self.origin.dir / "data" / "objects" / "uploads" / video["id"]
        files = list(folder.iterdir()) if folder.exists() else []
        assert len(files) <= 1
        return files[0] if files else None

    def temporaries(self):
        return list((self.origin.dir / "data" / "objects" / ".tmp").iterdir())


def put(url, body, **headers):
    return get(url, "PUT", headers, body)


def target(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.path}?{parts.query}"


def begin(lab, creator, video, body, size):
    """A client that has sent so much of an upload of `size` bytes."""
    client = lab.client(creator.origin)
    before = len(creator.temporaries())
    client.send((f"PUT {target(video['upload']['url'])} HTTP/1.1\r\nHost: 127.0.0.1:{creator.origin.port}\r\n"
                 f"Content-Length: {size}\r\n\r\n").encode() + body)
    until(lambda: len(creator.temporaries()) == before + 1, "the upload has begun")
    return client


def test_what_was_put_is_stored_whole(lab):
    creator = Creator(lab)
    body = bytes(range(256)) * 40960  # 10 MiB: many pieces
    video = creator.create(len(body))
    assert video["upload"]["method"] == "PUT"
    assert creator.complete(video).status == 409
    answer = put(video["upload"]["url"], body)
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == "*"
    stored = creator.source(video).read_bytes()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(body).digest()
    assert creator.complete(video).status == 202
    assert creator.complete(video).status == 202
    assert creator.temporaries() == []


def test_a_url_that_was_changed_is_refused(lab):
    creator = Creator(lab)
    url = creator.create(5)["upload"]["url"]
    other = creator.create(5)
    for bad in (url.replace("clip.mp4", "other"), url.replace("X-Amz-Expires=21600", "X-Amz-Expires=99999"),
                url[:-1] + ("0" if url[-1] != "0" else "1"), url.partition("?")[0],
                url.replace("/upload/", "/upload/../upload/"),
                url.replace(urllib.parse.urlsplit(url).path, f"/upload/{other['id']}/clip.mp4")):
        answer = put(bad, b"12345")
        assert answer.status in (400, 403, 404), bad
        assert answer.status != 403 or b"<Code>" in answer.body
    assert creator.source(other) is None
    assert put(url, b"12345").status == 200


def test_only_the_declared_size_is_accepted(lab):
    creator = Creator(lab)
    video = creator.create(5)
    assert put(video["upload"]["url"], b"123456").status == 403
    assert put(video["upload"]["url"], b"1234").status == 403
    chunked = put(video["upload"]["url"], b"5\r\n12345\r\n0\r\n\r\n", **{"Transfer-Encoding": "chunked"})
    assert chunked.status == 403  # its length is signed
    assert creator.source(video) is None


def test_nothing_of_a_cut_upload_remains(lab):
    creator = Creator(lab)
    video = creator.create(1000000)
    client = begin(lab, creator, video, b"x" * 500000, 1000000)
    client.close()
    until(lambda: not creator.temporaries(), "what was written is removed")
    assert creator.source(video) is None
    assert creator.complete(video).status == 409
    assert put(video["upload"]["url"], b"y" * 1000000).status == 200


def test_a_refused_upload_is_told_before_its_content(lab):
    creator = Creator(lab)
    url = creator.create(10**9, upload="single")["upload"]["url"]
    client = lab.client(creator.origin)
    client.request(target(url)[:-1], "PUT", {"Content-Length": str(10**9), "Expect": "100-continue"})
    assert client.read_interim().status == 403


def test_after_completion_the_upload_is_closed(lab):
    creator = Creator(lab)
    video = creator.create(3)
    assert put(video["upload"]["url"], b"abc").status == 200
    assert put(video["upload"]["url"], b"abd").status == 200  # before: as often as one likes
    assert creator.complete(video).status == 202
    assert put(video["upload"]["url"], b"xyz").status == 409
    assert creator.source(video).read_bytes() == b"abd"


def test_an_upload_that_was_under_way_at_completion_changes_nothing(lab):
    creator = Creator(lab)
    video = creator.create(3)
    late = begin(lab, creator, video, b"x", 3)
    assert put(video["upload"]["url"], b"abc").status == 200
    assert creator.complete(video).status == 202
    late.send(b"yz")
    assert late.read("PUT").status == 409
    assert creator.source(video).read_bytes() == b"abc" and creator.temporaries() == []


def test_an_upload_that_outlives_its_video_leaves_nothing(lab):
    creator = Creator(lab)
    video = creator.create(3)
    late = begin(lab, creator, video, b"x", 3)
    assert call("DELETE", f"{creator.api}/videos/{video['id']}", token=creator.token).status == 204
    late.send(b"yz")
    assert late.read("PUT").status == 404
    assert creator.source(video) is None and creator.temporaries() == []


def test_an_expired_url_says_so(lab):
    creator = Creator(lab, clock=True)
    video = creator.create(3)
    creator.origin.clock.forward(6 * 3600 + 1)
    answer = put(video["upload"]["url"], b"abc")
    assert answer.status == 403 and b"expired" in answer.body
    assert creator.source(video) is None


def test_a_browser_of_another_site_may_upload(lab):
    creator = Creator(lab)
    answer = get(creator.create(3)["upload"]["url"], "OPTIONS",
                 {"Origin": "http://studio.example", "Access-Control-Request-Method": "PUT"})
    assert answer.status == 204
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_files_beyond_the_limit_get_no_url(lab):
    creator = Creator(lab, QUICK + "upload:\n  max_size: 1MiB\n")
    refused = call("POST", creator.api + "/videos",
                   {"title": "t", "filename": "f", "size": 1048577}, creator.token)
    assert refused.status == 422 and "1048576" in refused.json()["detail"]


def test_a_stop_in_the_middle_of_an_upload_leaves_nothing(lab):
    creator = Creator(lab, QUICK + "drain: 100ms\n")
    video = creator.create(1000000)
    client = begin(lab, creator, video, b"x" * 500000, 1000000)
    creator.origin.stop()
    assert creator.temporaries() == []
    try:
        assert client.read().status >= 400
    except (Cut, OSError):
        pass


def test_a_crash_in_the_middle_of_an_upload_is_swept_up(lab):
    creator = Creator(lab)
    video = creator.create(1000000)
    client = begin(lab, creator, video, b"x" * 500000, 1000000)
    creator.origin.kill()
    assert len(creator.temporaries()) == 1
    creator.origin.start()
    assert creator.temporaries() == []
    assert put(video["upload"]["url"], b"y" * 1000000).status == 200


def test_a_file_that_no_disk_can_hold_is_told_before_its_content(lab):
    creator = Creator(lab, QUICK + "upload:\n  max_size: 4194304TiB\n  quota: 0\n")
    size = 2**62
    url = creator.create(size, upload="single")["upload"]["url"]
    with lab.client(creator.origin) as client:
        client.request(target(url), "PUT", {"Content-Length": str(size), "Expect": "100-continue"})
        assert client.read_interim().status == 507
        assert b"<Code>InsufficientStorage</Code>" in client.read_body()
    assert creator.temporaries() == []
