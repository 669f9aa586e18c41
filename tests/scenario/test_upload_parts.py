"""Uploads in parts by URLs that the API signed, and all that may go wrong with them."""
import base64
import hashlib
import http.client
import os
import random
import threading
import xml.etree.ElementTree as ET
import zlib

from lab import Client, call, get, until
from uploader import MIB, QUICK, Uploader

BODY = random.Random(11).randbytes(10 * MIB + 5)
PARTS = [BODY[:5 * MIB], BODY[5 * MIB:10 * MIB], BODY[10 * MIB:]]
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def code(answer):
    return ET.fromstring(answer.body).findtext("Code")


class Parted:
    """An upload of BODY as Uppy does it: each request is signed by the API."""

    def __init__(self, ada, size=len(BODY), begin=True, **more):
        self.ada, self.video = ada, ada.create(size, **more)["id"]
        self.key = f"{self.video}/clip.mp4"
        self.upload = self.begin() if begin else None

    def sign(self, method, **more):
        answer = call("POST", f"{self.ada.api}/uploads/sign",
                      {"method": method, "key": self.key, **more}, self.ada.token)
        assert answer.status == 200, answer.body
        return answer.json()["url"]

    def begin(self):
        answer = get(self.sign("POST"), "POST")
        assert answer.status == 200, answer.body
        return ET.fromstring(answer.body).findtext(NAMESPACE + "UploadId")

    def put(self, number, part, **headers):
        return get(self.sign("PUT", uploadId=self.upload, partNumber=number), "PUT",
                   {name.replace("_", "-"): value for name, value in headers.items()}, part)

    def put_all(self):
        return [self.put(i + 1, part).headers["ETag"] for i, part in enumerate(PARTS)]

    def join(self, etags, numbers=(1, 2, 3)):
        items = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
                        for number, etag in zip(numbers, etags))
        return get(self.sign("POST", uploadId=self.upload), "POST", {},
                   f"<CompleteMultipartUpload>{items}</CompleteMultipartUpload>".encode())

    def listed(self):
        answer = get(self.sign("GET", uploadId=self.upload))
        return [(int(part.findtext(NAMESPACE + "PartNumber")), int(part.findtext(NAMESPACE + "Size")))
                for part in ET.fromstring(answer.body).iter(NAMESPACE + "Part")]


def test_parts_come_at_once_and_are_joined_as_often_as_one_asks(lab):
    ada = Uploader(lab)
    it = Parted(ada)
    answers = {}
    threads = [threading.Thread(target=lambda i=i: answers.update({i: it.put(i, PARTS[i - 1])}))
               for i in (3, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    etags = [answers[i].headers["ETag"] for i in (1, 2, 3)]
    assert etags == [f'"{hashlib.md5(part).hexdigest()}"' for part in PARTS]
    assert it.listed() == [(1, 5 * MIB), (2, 5 * MIB), (3, 5)]
    first, again = it.join(etags), it.join(etags)
    assert first.status == again.status == 200 and first.body == again.body
    whole = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in PARTS)).hexdigest()
    assert ET.fromstring(first.body).findtext(NAMESPACE + "ETag") == f'"{whole}-3"'
    assert "ETag" in first.headers["Access-Control-Expose-Headers"]
    ada.assert_whole(it.video, BODY)
    assert code(it.put(1, PARTS[0])) == "OperationAborted"


def test_an_upload_is_gone_on_with_after_the_origin_was_killed(lab):
    ada = Uploader(lab)
    made = ada.create(40 * MIB, upload="multipart")
    upload, video = made["upload"], made["id"]
    assert (upload["method"], upload["part_size"], upload["parts"]) == ("multipart", 16 * MIB, 3)
    body = random.Random(5).randbytes(40 * MIB)
    pieces = [body[:16 * MIB], body[16 * MIB:32 * MIB], body[32 * MIB:]]
    assert get(upload["urls"][0]["url"], "PUT", {}, pieces[0]).status == 200
    ada.origin.kill()
    ada.origin.start()
    ask = f"{ada.api}/videos/{video}/upload/parts"
    told = call("POST", ask, {"upload_id": upload["upload_id"]}, ada.token).json()
    assert [part["part"] for part in told["uploaded"]] == [1]
    assert [item["part"] for item in told["urls"]] == [2, 3]
    assert ada.complete(video).status == 409
    for item in told["urls"]:
        assert get(item["url"], "PUT", {}, pieces[item["part"] - 1]).status == 200
    assert get(told["urls"][0]["url"], "PUT", {}, pieces[1]).status == 200  # a part once more
    assert call("POST", ask, {"parts": [4]}, ada.token).status == 422
    ada.assert_whole(video, body)


def test_what_is_not_as_it_was_said_to_be_is_refused(lab):
    ada = Uploader(lab)
    it = Parted(ada)
    part = PARTS[2]
    good = {"x_amz_checksum_crc32": base64.b64encode(zlib.crc32(part).to_bytes(4, "big")).decode(),
            "x_amz_checksum_sha256": base64.b64encode(hashlib.sha256(part).digest()).decode(),
            "Content_MD5": base64.b64encode(hashlib.md5(part).digest()).decode()}
    for name, value in good.items():
        assert it.put(3, part, **{name: value}).status == 200, name
        assert code(it.put(3, b"x" * 5, **{name: value})) == "BadDigest", name
    assert code(it.put(1, b"x" * (len(BODY) + 1))) == "EntityTooLarge"
    etags = it.put_all()
    assert code(it.put(4, b"xxxxxx")) == "EntityTooLarge"  # all together
    assert code(it.join(etags[:2], (1, 2))) == "EntityTooSmall"
    assert code(it.join([etags[1], etags[0], etags[2]])) == "InvalidPart"
    assert code(it.join(etags, (2, 1, 3))) in ("InvalidPartOrder", "InvalidPart")
    assert code(it.join([])) == "MalformedXML"
    it.upload = it.begin()
    small = [it.put(1, b"x" * 100), it.put(2, b"y" * 100)]
    assert code(it.join([answer.headers["ETag"] for answer in small], (1, 2))) == "EntityTooSmall"
    assert ada.source(it.video) is None and ada.complete(it.video).status == 409


def test_the_declared_type_is_the_one_that_comes(lab):
    ada = Uploader(lab)
    it = Parted(ada, 3, begin=False, type="video/mp4")
    url = it.sign("PUT")
    assert code(get(url, "PUT", {"Content-Type": "image/png"}, b"abc")) == "InvalidArgument"
    assert get(url, "PUT", {"Content-Type": "video/mp4"}, b"abc").status == 200
    refused = call("POST", ada.api + "/videos",
                   {"title": "t", "filename": "f", "size": 3, "type": "text/html"}, ada.token)
    assert refused.status == 422


def test_what_is_aborted_or_left_is_gone(lab):
    ada = Uploader(lab, extra=QUICK + "upload:\n  unfinished: 1h\n", clock=True)
    aborted, left = Parted(ada), Parted(ada)
    aborted.put(1, PARTS[0])
    left.put(1, PARTS[0])
    assert get(aborted.sign("DELETE", uploadId=aborted.upload), "DELETE").status == 204
    assert code(aborted.put(2, PARTS[1])) == "NoSuchUpload"
    ada.origin.clock.forward(3601)
    ada.origin.stop()
    ada.origin.start()
    status = lambda: call("GET", f"{ada.api}/videos/{left.video}/status", token=ada.token).json()
    until(lambda: status()["status"] == "failed", "the video that waits has failed")
    big = [path for path in ada.objects().rglob("*") if path.is_file() and path.stat().st_size > MIB]
    until(lambda: not [path for path in big if path.exists()], "no part is left")


def test_an_upload_that_ends_while_it_is_aborted_is_whole_or_gone(lab):
    ada = Uploader(lab)
    for _ in range(3):
        it = Parted(ada)
        etags, ended = it.put_all(), {}
        joins, aborts = it.sign("POST", uploadId=it.upload), it.sign("DELETE", uploadId=it.upload)
        body = "".join(f"<Part><PartNumber>{i + 1}</PartNumber><ETag>{etag}</ETag></Part>"
                       for i, etag in enumerate(etags))
        threads = [
            threading.Thread(target=lambda: ended.update(join=get(joins, "POST", {}, (
                f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>").encode()).status)),
            threading.Thread(target=lambda: ended.update(abort=get(aborts, "DELETE").status))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if ended["join"] == 200:
            assert ended["abort"] in (204, 404)
            ada.assert_whole(it.video, BODY)
        else:
            assert ended == {"join": 404, "abort": 204}
            assert ada.complete(it.video).status == 409
            until(lambda: ada.source(it.video) is None, "nothing is left of it")


def test_a_user_begins_so_many_videos_in_an_hour(lab):
    ada = Uploader(lab, extra=QUICK + "upload:\n  per_hour: 2\n  quota: 1000\n", clock=True)
    make = lambda size: call("POST", ada.api + "/videos",
                             {"title": "t", "filename": "f", "size": size}, ada.token)
    assert make(2000).json()["type"] == "/problems/upload-quota"
    first = make(600)
    assert first.status == 201 and first.headers["RateLimit"] == '"uploads";r=1;t=3600'
    assert make(500).status == 403  # with the first one that would be too much
    assert make(400).status == 201
    refused = make(1)
    assert refused.status == 429 and int(refused.headers["Retry-After"]) > 3000
    ada.origin.clock.forward(3601)
    token = call("POST", ada.api + "/auth/login", {"email": "ada@example.org",
                                                   "password": "correct horse battery"}).json()
    ada.token = token["access_token"]
    assert call("DELETE", f"{ada.api}/videos/{first.json()['id']}", token=ada.token).status == 204
    assert make(1).status == 201


def test_a_slow_client_keeps_nobody_waiting(lab):
    ada = Uploader(lab)
    slow, quick = Parted(ada, 100, begin=False), Parted(ada, 3, begin=False)
    path = slow.sign("PUT").removeprefix(ada.origin.url)
    with Client(ada.origin.port) as client:
        client.send(f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{ada.origin.port}\r\n"
                    f"Content-Length: 100\r\n\r\nx".encode())
        assert get(quick.sign("PUT"), "PUT", {}, b"abc").status == 200
        for _ in range(99):
            client.send(b"x")
        assert client.read("PUT").status == 200
    ada.assert_whole(slow.video, b"x" * 100)


def rss_mib(origin):
    with open(f"/proc/{origin.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024


def send_zeros(url, size):
    """A part of `size` zeros, which are nowhere whole."""
    path = url.split("/", 3)[3]
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=120)
    piece = bytes(MIB)
    connection.request("PUT", "/" + path, (piece[:min(MIB, size - at)] for at in range(0, size, MIB)),
                       {"Content-Length": str(size)})
    assert connection.getresponse().status == 200
    connection.close()


def test_an_upload_takes_the_memory_of_its_pieces_however_large_it_is(lab):
    """FB_UPLOAD_MIB=5120 for the whole of what is claimed."""
    origin = lab.origin(workers=0, extra=QUICK, start=False)
    origin.start(env={"ASAN_OPTIONS": "quarantine_size_mb=8"})  # what is freed is free
    ada = Uploader(lab, origin)
    size = int(os.environ.get("FB_UPLOAD_MIB", "192")) * MIB
    made = ada.create(size, upload="multipart")
    before, upload = rss_mib(ada.origin), made["upload"]
    while upload["urls"]:
        lanes = [upload["urls"][i::3] for i in range(3)]
        threads = [threading.Thread(target=lambda lane=lane: [send_zeros(u["url"], u["size"]) for u in lane])
                   for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        upload = call("POST", f"{ada.api}/videos/{made['id']}/upload/parts", {}, ada.token).json()
    assert len(upload["uploaded"]) == upload["parts"]

    def is_complete():
        """Joining takes longer than some clients wait: they ask again."""
        try:
            answer = ada.complete(made["id"])
        except TimeoutError:
            return False
        assert answer.status in (202, 503), answer.body
        return answer.status == 202
    until(is_complete, "the parts are joined", 300)
    assert ada.source(made["id"]).stat().st_size == size
    grown = rss_mib(ada.origin) - before
    print(f"{size // MIB} MiB came, the origin grew by {grown} MiB from {before} MiB")
    assert grown < 64
    ada.source(made["id"]).unlink()
