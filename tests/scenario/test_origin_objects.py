"""Objects in a folder and in a real S3 server: the same suite on both."""
import hashlib
import subprocess

import pytest
from lab import BUILD, SANITIZER_ENV, call, get, until
from lab_s3 import SECRET_KEY, RoughWay, S3Server
from playlists import read_hls
from studio import Studio


@pytest.fixture(scope="module")
def s3(authority):
    server = S3Server(pair=authority.issue("localhost", ["localhost", "films.localhost"]))
    yield server
    server.close()


def run_suite(scratch, *store):
    done = subprocess.run([BUILD / "objects-suite", scratch, *store], text=True,
                          capture_output=True, env={**SANITIZER_ENV}, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout + done.stderr


def test_the_suite_holds_for_a_folder(tmp_path):
    run_suite(tmp_path, f"file:{tmp_path}/objects")


def test_the_suite_holds_for_a_part_of_a_bucket_on_a_rough_way(s3, tmp_path):
    """Every other connection breaks, and what stands beside is never seen nor touched."""
    way = RoughWay(s3.port)
    url = s3.bucket("shared")
    assert s3.curl("PUT", "/shared/other", "--data-binary", "x")[0] == 200
    assert s3.curl("PUT", "/shared/our/films-2", "--data-binary", "x")[0] == 200
    run_suite(tmp_path, url + "/our/films", way.endpoint, s3.credentials)
    way.close()
    assert way.n_broken > 10
    assert s3.curl("GET", "/shared/other") == (200, b"x")
    assert s3.curl("GET", "/shared/our/films-2") == (200, b"x")


def range_of(url, first, last):
    return get(url, headers={"Range": f"bytes={first}-{last}"})


def test_a_video_lives_and_dies_in_a_bucket(lab, s3, authority):
    """Uploaded, transcoded, delivered and deleted; nothing of it is ever on the origin's disk, and
    all of it goes by TLS, to a host with the bucket's name."""
    origin = lab.origin(objects=s3.bucket("films"),
                        extra=s3.section(authority.path) + "auth:\n  hash_memory: 1MiB\n")
    studio = Studio(origin.url)
    studio.sign_up()
    clip = lab.clip(seconds=4, size="320x180")
    video = studio.publish(clip)
    assert any(key.startswith(f"uploads/{video}/") for key in s3.keys("films"))
    assert not (origin.dir / "data" / "objects").exists()
    assert list((origin.dir / "data" / "spool").iterdir()) == []

    for rendition in read_hls(studio.manifest(video)):
        for url in rendition.files:
            whole = get(url)
            assert whole.status == 200 and "immutable" in whole.headers["Cache-Control"]
            digest = hashlib.sha256(whole.body).hexdigest()
            assert whole.headers["ETag"] == f'"{digest[:32]}"'
            middle = range_of(url, len(whole.body) // 2, len(whole.body) // 2 + 99)
            assert middle.status == 206
            assert middle.body == whole.body[len(whole.body) // 2:][:100]
            assert get(url, "HEAD").headers["Content-Length"] == str(len(whole.body))
            assert get(url, headers={"If-None-Match": whole.headers["ETag"]}).status == 304
        folder = rendition.files[0].rpartition("/")[0]
        init, *segments = (get(url).body for url in rendition.files)
        track = b"".join([init, get(folder + "/index.sidx").body, *segments])
        assert get(folder + "/whole.mp4").body == track
        assert range_of(folder + "/whole.mp4", len(init) - 9, len(track) - 2).body == track[len(init) - 9:-1]
    assert origin.metric('origin_objects_bytes_total{direction="read",store="s3"}') > 0
    assert origin.metric('origin_objects_errors_total{op="read",store="s3"}') == 0
    heads = origin.metric('origin_objects_requests_total{op="stat",store="s3"}')
    assert heads < 12, f"{heads} files were asked for one by one"

    answer = call("DELETE", f"{studio.api}/videos/{video}", token=studio.token)
    assert answer.status in (202, 204), answer.body
    until(lambda: not [key for key in s3.keys("films") if video in key], "its objects are gone")
    assert SECRET_KEY not in origin.log()


def test_an_origin_says_why_it_does_not_start(lab, s3, tmp_path, authority, stranger):
    wrong = tmp_path / "credentials"
    wrong.write_text(f"access_key = {s3.access_key}\nsecret_key = wrong\n")
    s3.bucket("there")
    path, tls = s3.section(), s3.section(authority.path)
    for name, bucket, section, words in (
            ("one", "there", path.replace(str(s3.credentials), str(wrong)),
             "not allowed (SignatureDoesNotMatch)"),
            ("two", "nowhere", path, "not supported (NoSuchBucket)"),
            ("three", "films", s3.section(stranger.path), "unable to get local issuer certificate"),
            ("four", "other", tls, "no alternative certificate subject name matches"),
            ("five", "films", path.replace("http:", "https:"), "SSL"),
            ("six", "films", path.replace(f":{s3.port}", ":1"), "127.0.0.1 port 1")):
        origin = lab.origin(name=name, objects=f"s3://{bucket}", extra=section + "  attempts: 1\n",
                            start=False)
        ran = subprocess.run([BUILD / "forebay-origin", "--config", origin.config_path],
                             cwd=origin.dir, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 1
        assert words in ran.stderr, ran.stderr
        assert "= wrong" not in ran.stderr
