"""forebay-edge replay: a trace through the policies, as an operator calls it."""
import json
import struct
import subprocess

import pytest
from lab import BUILD, ROOT

MIB = 1 << 20


def replay(*args):
    return subprocess.run([str(BUILD / "forebay-edge"), "replay", *map(str, args)], timeout=60,
                          capture_output=True, text=True, check=False)


def trace(requests, sizes):
    """Bytes of a trace with a request each second, written from the format's description."""
    n, m = len(requests), len(sizes)
    return b"".join((b"FBTRACE1", struct.pack("<14I", n, m, 1000, 0, *[0] * 10),
                     struct.pack(f"<{n}I", *[1] * n), struct.pack(f"<{n}I", *requests),
                     struct.pack(f"<{m}I", *sizes), struct.pack(f"<{m}I", *range(m)),
                     bytes(2 * m), bytes(m), bytes(m)))


@pytest.fixture
def config():
    return ROOT / "configs" / "edge.yaml"


def test_what_was_asked_for_before_is_a_hit_if_it_fits(lab, config):
    path = lab.dir / "two.fbt"
    path.write_bytes(trace([0, 1, 0, 1], [6 * MIB, 2 * MIB]))
    done = replay("--config", config, "--memory", "16MiB", path, path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    one = report["traces"][0]
    assert one["trace"] == "two.fbt" and one["footprint_bytes"] == 8 * MIB
    assert one["requests"] == 4 and one["bytes"] == 16 * MIB and one["duration_ms"] == 4000
    assert one["memory"]["hits"] == 2 and one["memory"]["bytes_hit"] == 8 * MIB
    assert one["object_miss_ratio"] == one["byte_miss_ratio"] == 0.5
    assert report["traces"][1] == one and report["mean"]["byte_miss_ratio"] == 0.5


def test_a_share_of_the_footprint_is_what_memory_there_is(lab, config):
    path = lab.dir / "many.fbt"
    path.write_bytes(trace(list(range(100)) * 3, [MIB] * 100))
    for text, size in (("10%", 10 * MIB), ("0.5", 50 * MIB), ("7MiB", 7 * MIB)):
        done = replay("--config", config, "--memory", text, path)
        memory = json.loads(done.stdout)["traces"][0]["memory"]
        assert memory["size_bytes"] == size
        assert memory["evictions"] > 0


def test_the_volumes_keep_what_memory_cannot(lab, config):
    path = lab.dir / "many.fbt"
    path.write_bytes(trace(list(range(100)) * 6, [MIB] * 100))
    done = replay("--config", config, "--memory", "10%", "--volumes", "400%", path)
    assert done.returncode == 0, done.stderr
    one = json.loads(done.stdout)["traces"][0]
    written = one["volumes"]["bytes_written"]
    assert one["volumes"]["hits"] > 0
    assert 0 < written["admission"] <= 110 * MIB and written["rewriting"] == 0
    assert written["total"] == written["admission"] + written["metadata"]
    assert one["byte_miss_ratio"] < 0.6


def test_a_broken_trace_is_refused_with_its_place(lab, config):
    path = lab.dir / "broken.fbt"
    path.write_bytes(trace([0, 5], [10]))
    done = replay("--config", config, path)
    assert done.returncode == 1 and done.stdout == ""
    assert "broken.fbt: request 1 is for object 5 of 1 (byte 76)" in done.stderr


def test_wrong_use_is_told_from_a_broken_trace(lab, config):
    assert replay("--config", config).returncode == 2
    assert replay("--config", lab.dir / "missing.yaml", "x.fbt").returncode == 2
    assert replay("--config", config, lab.dir / "missing.fbt").returncode == 1
    page = replay("--help")
    assert page.returncode == 0 and "SYNOPSIS" in page.stdout
