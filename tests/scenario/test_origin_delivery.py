"""Delivery of published media and of the watch page."""
import base64
import hashlib
import re
import struct
import subprocess
from xml.etree import ElementTree

import pytest

from catalogue import CONFIG, Catalogue
from film import MIB
from lab import get, until
from studio import Studio

QUICK = "auth:\n  hash_memory: 1MiB\ntranscode: {segment: 1s}\n"
SECONDS = 8


@pytest.fixture(scope="module")
def shop(module_lab):
    """An origin with one published video; `shop.base` is its media URL."""
    lab = module_lab
    web = lab.dir / "web"
    web.mkdir()
    (web / "watch.html").write_text("<!doctype html><title>watch</title>")
    (web / "watch.js").write_text("export {}")
    (lab.dir / "secret").write_text("secret")
    (web / "link.js").symlink_to(lab.dir / "secret")
    origin = lab.origin(workers=1, extra=QUICK + f"web: {web}\n")
    studio = Studio(origin.url)
    studio.sign_up()
    origin.video = studio.publish(lab.clip(seconds=SECONDS, size="320x180"))
    origin.base = studio.manifest(origin.video).rpartition("/")[0] + "/"
    return origin


def test_segments_are_immutable_and_carry_their_digest(shop):
    answer = get(shop.base + "v/144p/init.mp4")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    digest = base64.b64encode(hashlib.sha256(answer.body).digest()).decode()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    assert answer.headers["Content-Type"] == "video/mp4"
    for name, value in [("Access-Control-Allow-Origin", "*"), ("Timing-Allow-Origin", "*"),
                        ("Accept-Ranges", "bytes")]:
        assert answer.headers[name] == value
    assert answer.headers["ETag"] and answer.headers["Last-Modified"]


def test_playlists_are_fresh_for_two_seconds(shop):
    for name, kind in [("master.m3u8", "application/vnd.apple.mpegurl"),
                       ("manifest.mpd", "application/dash+xml"), ("ondemand.mpd", "application/dash+xml")]:
        answer = get(shop.base + name)
        assert answer.headers["Cache-Control"] == "public, max-age=2"
        assert answer.headers["Content-Type"] == kind


def check_ranges(url):
    whole = get(url)
    size = len(whole.body)
    for span, first, last in [((0, 9), 0, 9), ((10, None), 10, size - 1),
                              ((None, 5), size - 5, size - 1), ((5, 10**9), 5, size - 1)]:
        part = get(url, span=span)
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert part.body == whole.body[first:last + 1]
        assert part.headers.get("Repr-Digest") == whole.headers.get("Repr-Digest")
    beyond = get(url, span=(size, None))
    assert beyond.status == 416 and beyond.headers["Content-Range"] == f"bytes */{size}"
    etag = whole.headers["ETag"]
    assert get(url, headers={"If-Range": etag}, span=(0, 1)).status == 206
    assert get(url, headers={"If-Range": '"other"'}, span=(0, 1)).status == 200
    assert get(url, headers={"Range": "bytes=0-1,4-5"}).status == 200
    assert get(url, headers={"Range": "lines=0-1"}).status == 200
    head = get(url, "HEAD")
    assert head.status == 200 and head.body == b""
    for field in ("Content-Length", "ETag", "Content-Type", "Repr-Digest"):
        assert head.headers.get(field) == whole.headers.get(field)
    assert get(url, headers={"If-None-Match": etag}).status == 304


def test_ranges_give_what_was_asked(shop):
    check_ranges(shop.base + "v/144p/init.mp4")


def on_demand(base):
    """Of each representation of ondemand.mpd: its URL, the range of its init, and that of its index."""
    for one in ElementTree.fromstring(get(base + "ondemand.mpd").body).findall(".//{*}Representation"):
        segments = one.find("{*}SegmentBase")
        if segments is not None:
            first, last = map(int, segments.get("indexRange").split("-"))
            head = tuple(map(int, segments.find("{*}Initialization").get("range").split("-")))
            yield base + one.find("{*}BaseURL").text, head, (first, last)


def subsegments(url, index):
    """(begin, end, first byte, last byte) of each, in seconds, as the index tells."""
    box = get(url, span=index).body
    size, kind, _, _, timescale, time, gap, _, n = struct.unpack_from(">I4sIIIIIHH", box)
    assert size == len(box) == 32 + 12 * n and kind == b"sidx" and gap == 0
    at, found = index[1] + 1, []
    for length, duration, sap in struct.iter_unpack(">III", box[32:]):
        assert sap == 0x90000000
        found.append((time / timescale, (time + duration) / timescale, at, at + length - 1))
        time, at = time + duration, at + length
    return found


def test_a_track_is_one_file_too_that_players_seek_in_by_its_index(shop):
    tracks = list(on_demand(shop.base))
    assert [url.removeprefix(shop.base) for url, _, _ in tracks] == ["v/144p/whole.mp4", "a/0/whole.mp4"]
    for url, head, index in tracks:
        whole, folder = get(url), url.rpartition("/")[0]
        names = ["init.mp4", "index.sidx", *(f"seg-{n + 1:05d}.m4s" for n in range(SECONDS))]
        pieces = [get(f"{folder}/{name}").body for name in names]
        assert whole.body == b"".join(pieces) and get(url, span=head).body == pieces[0]
        assert whole.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert whole.headers["Content-Type"] == ("audio/mp4" if "/a/" in url else "video/mp4")
        assert [whole.body[first:last + 1] for _, _, first, last in subsegments(url, index)] == pieces[2:]
        check_ranges(url)
    url, head, index = tracks[0]
    begin, end, first, last = subsegments(url, index)[6]
    assert (begin, end) == (6, 7)
    told = subprocess.run(["ffprobe", "-v", "trace", "-short_seek_size", "1", "-read_intervals", "6.5%+#1", "-show_entries",
                           "packet=pts_time,flags", "-of", "csv", url], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("packet,6.0") and ",K" in told.stdout
    assert f"Range: bytes={first}-" in told.stderr, "it goes where the index says, and reads nothing between"
    alone = shop.dir / "alone.mp4"
    alone.write_bytes(get(url, span=head).body + get(url, span=(first, last)).body)
    shown = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "frame=pts_time", "-of", "csv=p=0", str(alone)],
                           capture_output=True, text=True, check=True).stdout.split()
    assert len(shown) == 25 and float(shown[0].strip(",")) == begin
    for missing in ("v/144p/whole.mp4/", "v/whole.mp4", "whole.mp4", "v/720p/whole.mp4", "s/whole.mp4"):
        assert get(shop.base + missing).status == 404


def test_a_seek_reads_what_it_needs_and_no_more(lab):
    """By way of an edge, which keeps it in chunks as any large object."""
    origin = lab.origin(workers=0, extra=CONFIG)
    edge = lab.edge([origin.url])
    catalogue = Catalogue(origin)
    pieces = [("init.mp4", b"i" * 700), ("index.sidx", b"x" * 100)]
    pieces += [(f"seg-{n:05d}.m4s", bytes([n]) * (MIB + n)) for n in range(1, 9)]
    video = catalogue.publish(catalogue.person("ada@example.org"),
                              media=[(f"v/360p/{name}", body) for name, body in pieces])
    whole = b"".join(body for _, body in pieces)
    path = f"/media/{video}/{catalogue.version}/v/360p/whole.mp4"
    counted = ("origin_media_bytes_served_total", 'origin_objects_bytes_total{direction="read",store="folder"}')
    before = [origin.metric(name) for name in counted]
    at = 5 * MIB + 1000
    for place in (at, at + 5000):
        part = get(edge.url + path, span=(place, place + 999))
        assert part.status == 206 and part.body == whole[place:place + 1000]
        assert part.headers["Content-Range"] == f"bytes {place}-{place + 999}/{len(whole)}"
    assert "; hit;" in part.headers["Cache-Status"]
    until(lambda: [origin.metric(name) - was for name, was in zip(counted, before)] == [MIB, MIB],
          "one chunk was read and sent, for both")
    assert get(edge.url + path).body == whole


def test_conditions_save_the_content(shop):
    url = shop.base + "master.m3u8"
    whole = get(url)
    for condition in ({"If-None-Match": whole.headers["ETag"]}, {"If-None-Match": "*"},
                      {"If-Modified-Since": whole.headers["Last-Modified"]}):
        answer = get(url, headers=condition)
        assert answer.status == 304 and answer.body == b""
        assert answer.headers["ETag"] == whole.headers["ETag"]
        assert answer.headers["Cache-Control"] == "public, max-age=2"
    assert get(url, headers={"If-None-Match": '"other"'}).status == 200
    assert get(url, headers={"If-Match": '"other"'}).status == 412


def test_what_was_not_published_is_not_there(shop):
    media = f"{shop.url}/media/{shop.video}"
    version = shop.base.rstrip("/").rpartition("/")[2]
    stray = shop.dir / "data" / "objects" / "media" / shop.video / version / "stray.m4s"
    stray.write_bytes(b"not listed")
    for url in (shop.base + "v/144p/seg-99999.m4s", shop.base + "stray.m4s", media + "/",
                f"{media}/0000000000000000/master.m3u8", f"{shop.url}/media/x/y/z",
                f"{shop.url}/media/{shop.video}/../../uploads/{shop.video}/source",
                f"{shop.url}/media/{shop.video}/{version}/..%2f..%2f..%2fuploads",
                shop.base + "v/144p", shop.base + "%00", shop.url + "/"):
        answer = get(url)
        assert answer.status in (400, 404), url
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert get(shop.base + "nothing").headers["Cache-Control"] == "public, max-age=2"
    assert get(shop.base + "master.m3u8", "POST", body=b"").status == 405


def test_the_watch_page_is_served_with_its_policy(shop):
    page = get(f"{shop.url}/watch/{shop.video}")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and f"connect-src 'self' {shop.url}" in policy
    script = get(shop.url + "/assets/watch.js")
    assert get(shop.url + "/beacon", "POST", body=b"{}").status == 204
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert get(shop.url + "/assets/watch.js",
               headers={"If-None-Match": script.headers["ETag"]}).status == 304
    for path in ("/watch/nobody", "/assets/none.js", "/assets/../secret", "/assets/link.js",
                 "/assets/%2e%2e/secret", "/assets//etc/passwd"):
        assert get(shop.url + path).status in (400, 404), path


def test_the_admin_side_counts_media(shop):
    before = shop.status()["requests"]["total"]
    size = len(get(shop.base + "v/144p/init.mp4").body)
    until(lambda: shop.status()["requests"]["total"] == before + 1, "the request is counted")
    after = shop.status()
    assert after["role"] == "origin" and after["bytes"]["served"] >= size
