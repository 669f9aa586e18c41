"""Objects in a folder and in a real S3 server: the same suite on both."""
import subprocess

import pytest
from lab import BUILD, SANITIZER_ENV
from lab_s3 import RoughWay, S3Server


@pytest.fixture(scope="module")
def s3():
    server = S3Server()
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
