"""Delivery of published media and of the watch page."""
import base64
import hashlib

import pytest

from lab import get, until
from studio import Studio

QUICK = "auth:\n  hash_memory: 1MiB\n"


@pytest.fixture
def shop(lab):
    """An origin with one published video; `shop.base` is its media URL."""
    web = lab.dir / "web"
    web.mkdir()
    (web / "watch.html").write_text("<!doctype html><title>watch</title>")
    (web / "watch.js").write_text("export {}")
    (lab.dir / "secret").write_text("secret")
    (web / "link.js").symlink_to(lab.dir / "secret")
    origin = lab.origin(workers=1, extra=QUICK + f"web: {web}\n")
    studio = Studio(origin.url)
    studio.sign_up()
    origin.video = studio.publish(lab.clip(seconds=2, size="320x180"))
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
                       ("manifest.mpd", "application/dash+xml")]:
        answer = get(shop.base + name)
        assert answer.headers["Cache-Control"] == "public, max-age=2"
        assert answer.headers["Content-Type"] == kind


def test_ranges_give_what_was_asked(shop):
    url = shop.base + "v/144p/init.mp4"
    whole = get(url)
    size = len(whole.body)
    for span, first, last in [((0, 9), 0, 9), ((10, None), 10, size - 1),
                              ((None, 5), size - 5, size - 1), ((5, 10**9), 5, size - 1)]:
        part = get(url, span=span)
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert part.body == whole.body[first:last + 1]
        assert part.headers["Repr-Digest"] == whole.headers["Repr-Digest"]
    beyond = get(url, span=(size, None))
    assert beyond.status == 416 and beyond.headers["Content-Range"] == f"bytes */{size}"
    etag = whole.headers["ETag"]
    assert get(url, headers={"If-Range": etag}, span=(0, 1)).status == 206
    assert get(url, headers={"If-Range": '"other"'}, span=(0, 1)).status == 200
    assert get(url, headers={"Range": "bytes=0-1,4-5"}).status == 200
    assert get(url, headers={"Range": "lines=0-1"}).status == 200


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


def test_head_tells_what_get_would(shop):
    url = shop.base + "v/144p/init.mp4"
    whole, head = get(url), get(url, "HEAD")
    assert head.status == 200 and head.body == b""
    for name in ("Content-Length", "ETag", "Content-Type", "Repr-Digest"):
        assert head.headers[name] == whole.headers[name]


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
