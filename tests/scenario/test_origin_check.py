"""What --check of the origin and of a worker says, before they are started."""
import re
import subprocess

import pytest
from lab import BUILD

ORIGIN = "listen: [{address: '127.0.0.1:0'}]\npublic_url: http://video.example\n"
WORKER = "origin: https://origin.example\nworker_token: change-this-to-a-secret\n"


def check(lab, program, text):
    path = lab.dir / "conf.yaml"
    path.write_text(text)
    return subprocess.run([str(BUILD / program), "--config", str(path), "--check"], cwd=lab.dir,
                          capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("program, text, told", [
    ("forebay-origin", ORIGIN + "countries: {database: gone}\n", "3:23: 'database': cannot read"),
    ("forebay-origin", ORIGIN + "playback: {keys: [{id: k1, secret_file: gone}]}\n",
     "3:41: 'secret_file': cannot read"),
    ("forebay-origin", ORIGIN + "master_keys: gone\n", "3:14: 'master_keys': cannot read"),
    ("forebay-origin", ORIGIN + "purge: {authorities: gone}\n", "3:22: 'authorities': cannot read"),
    ("forebay-origin", ORIGIN + "web: gone\n", "3:6: 'web': cannot read"),
    ("forebay-origin", ORIGIN + "s3: {credentials: gone}\n", "3:19: 'credentials': cannot read"),
    ("forebay-worker", WORKER + "authorities: gone\n", "3:14: 'authorities': cannot read"),
])
def test_a_file_that_is_not_there_is_told_with_its_place(lab, program, text, told):
    ran = check(lab, program, text)
    assert ran.returncode == 2 and re.search(rf"conf\.yaml:{told} 'gone", ran.stderr), ran.stderr


@pytest.mark.parametrize("program, text, told", [
    ("forebay-origin", ORIGIN + "objects: s3://films\n", "3:10: a bucket wants s3.endpoint"),
    ("forebay-origin", ORIGIN + "objects: s3://films\ns3: {endpoint: 'http://s3.example'}\n",
     "3:10: a bucket wants s3.endpoint and s3.credentials"),
    ("forebay-worker", WORKER + "objects: s3://films\n", "3:10: 'objects': file:<folder> is expected"),
])
def test_a_bucket_without_keys_to_it_is_told(lab, program, text, told):
    ran = check(lab, program, text)
    assert ran.returncode == 2 and f"conf.yaml:{told}" in ran.stderr, ran.stderr


@pytest.mark.parametrize("program, text", [("forebay-origin", ORIGIN), ("forebay-worker", WORKER)])
def test_what_a_start_makes_need_not_be_there(lab, program, text):
    before = sorted(lab.dir.iterdir())
    assert check(lab, program, text).returncode == 0
    assert sorted(lab.dir.iterdir()) == sorted([*before, lab.dir / "conf.yaml"])


def test_what_workers_start_says_so_to_people():
    ran = subprocess.run([str(BUILD / "forebay-transcode"), "--help"], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2 and "forebay-worker" in ran.stderr
