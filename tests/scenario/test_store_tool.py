"""forebay-edge store: what an operator does to a volume."""
import hashlib
import json
import re
import struct
import subprocess
import uuid

import pytest
from lab import BUILD, ROOT, until

MIB = 1 << 20
TABLES = (ROOT / "docs" / "store-format.md").read_text()


def store(*args):
    return subprocess.run([str(BUILD / "forebay-edge"), "store", *map(str, args)], timeout=60,
                          capture_output=True, text=True, check=False)


def inspect(path):
    done = store("inspect", "--json", path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def volume(lab):
    path = lab.dir / "volume"
    done = store("format", "--node", "box-7", "--size", "100MiB", path)
    assert done.returncode == 0, done.stderr
    return path


def documented(section, table=0):
    """The fields in one of the tables of a section of docs/store-format.md, and of all heads."""
    fields = {}
    for title, number in (("Heads", 0), (section, table)):
        text = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TABLES, re.M | re.S)[1]
        rows = re.findall(r"(?:^\|.*\n)+", text, re.M)[number]
        for offset, size, name in re.findall(r"^\| (\d+) \| ?(\d*) \| (\w+)", rows, re.M):
            fields.setdefault(name, (int(offset), int(size or 0)))
    return fields


def field(block, fields, name):
    offset, size = fields[name]
    return int.from_bytes(block[offset:offset + size], "little")


def test_format_makes_a_file_with_all_its_room(volume):
    assert volume.stat().st_size == 100 * MIB
    assert volume.stat().st_blocks * 512 >= 100 * MIB
    found = inspect(volume)
    assert found["node"] == "box-7"
    assert found["size"] == 100 * MIB
    assert found["zones"]["free"] == found["n_zones"] == 12


def test_the_superblock_lies_as_documented(volume):
    found = inspect(volume)
    fields = documented("Superblock")
    front = volume.read_bytes()[:8192]
    assert front[:4096] == front[4096:]
    assert front[:8] == b"FBVOLUME"
    assert field(front, fields, "version") == found["format"] == 1
    for name in ("size", "zone_bytes", "n_zones", "zones_offset", "checkpoint_offset",
                 "checkpoint_bytes"):
        assert field(front, fields, name) == found[name], name
    assert field(front, fields, "chunk_bytes") == MIB
    at = fields["uuid"][0]
    assert front[at:at + 16] == uuid.UUID(found["uuid"]).bytes
    at, length = fields["node"][0], field(front, fields, "node_len")
    assert front[at:at + length] == b"box-7"


def test_format_refuses_what_holds_something(lab, volume):
    before = volume.read_bytes()
    again = store("format", "--node", "box-8", volume)
    assert again.returncode == 1
    assert "volume of node 'box-7'" in again.stderr and "--force" in again.stderr
    assert volume.read_bytes() == before

    other = lab.dir / "other"
    for at in (0, 1024, 100 * MIB - 4096):
        other.write_bytes(b"")
        with other.open("r+b") as file:
            file.truncate(100 * MIB)
            file.seek(at)
            file.write(b"a file system")
        refused = store("format", "--node", "box-7", other)
        assert refused.returncode == 1
        assert "no volume" in refused.stderr
        assert inspect_fails(other, "holds something else")


def inspect_fails(path, words):
    done = store("inspect", path)
    return done.returncode == 3 and words in done.stderr and done.stdout == ""


def test_force_gives_up_what_is_there(volume):
    first = inspect(volume)
    assert store("format", "--node", "box-8", "--force", volume).returncode == 0
    second = inspect(volume)
    assert second["node"] == "box-8"
    assert second["uuid"] != first["uuid"]


def test_a_file_of_another_size_is_not_made_longer(volume):
    done = store("format", "--node", "box-7", "--size", "200MiB", "--force", volume)
    assert done.returncode == 1 and "100.0 MiB" in done.stderr
    assert volume.stat().st_size == 100 * MIB


def test_what_is_too_small_is_not_left_behind(lab):
    path = lab.dir / "small"
    for size in ("1", "16MiB"):
        done = store("format", "--node", "box-7", "--size", size, path)
        assert done.returncode == 2 and "too small" in done.stderr
        assert not path.exists()


def test_a_volume_that_was_cut_short_is_told(volume):
    with volume.open("r+b") as file:
        file.truncate(90 * MIB)
    assert inspect_fails(volume, "cut short")
    assert store("verify", volume).returncode == 3


def test_a_damaged_superblock_is_told_and_its_copy_used(volume):
    with volume.open("r+b") as file:
        file.seek(documented("Heads")["version"][0])
        file.write(struct.pack("<H", 2))
    assert inspect(volume)["superblock_is_good"] is False
    verified = store("verify", volume)
    assert verified.returncode == 1
    assert "superblock: it does not fit its checksum; its copy is good" in verified.stdout


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A volume that was written to for a while, until it was full and more."""
    path = tmp_path_factory.mktemp("store") / "volume"
    done = store("bench", "--size", "64MiB", "--object", "300KiB", "--seconds", "1", "--keep", "--json",
                 path)
    assert done.returncode == 0, done.stderr
    done = json.loads(done.stdout)
    assert done["write"]["writes"] > 0 and done["read"]["reads"] > 0
    assert done["read"]["failed"] == done["both"]["failed"] == 0
    return path


def records(path):
    """(zone, record) of each record on the volume."""
    for zone in range(inspect(path)["n_zones"]):
        for record in inspect_zone(path, zone)["records"]:
            yield zone, record


def inspect_zone(path, zone):
    return json.loads(store("inspect", "--json", "--zone", zone, path).stdout)


def test_what_was_written_is_whole_and_can_be_listed(written):
    found = inspect(written)
    listed = [record for _, record in records(written)]
    assert len(listed) == found["records"]["extents"] > 0
    assert all(record["bytes"] == 300 * 1024 for record in listed)
    assert found["written"]["admission"] >= found["bytes"]["chunks"]
    assert any(slot.get("counts") and slot["extents"] == len(listed)
               for slot in found["checkpoints"])
    done = store("verify", written)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"{len(listed)} records")


def read(path, offset, n):
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(n)


def test_zones_and_records_lie_as_documented(written):
    found = inspect(written)
    listed = next(zone for zone in (inspect_zone(written, i) for i in range(found["n_zones"]))
                  if zone["state"] == "sealed")
    number, record = listed["zone"], listed["records"][0]
    begin = found["zones_offset"] + number * found["zone_bytes"]

    head, fields = read(written, begin, 4096), documented("Zone")
    assert head[:8] == b"FBZONE\0\0"
    assert field(head, fields, "zone") == number
    assert field(head, fields, "generation") == listed["generation"]
    assert field(head, fields, "oldest") <= listed["generation"]
    at = fields["uuid"][0]
    assert head[at:at + 16] == uuid.UUID(found["uuid"]).bytes

    at = begin + record["block"] * 4096
    head, fields = read(written, at, 4096), documented("Records")
    key = record["key"].encode()
    assert head[:8] == b"FBEXTENT"
    assert field(head, fields, "generation") == listed["generation"]
    assert field(head, fields, "block") == record["block"]
    assert field(head, fields, "length") == record["length"] == 300 * 1024
    assert field(head, fields, "n_blocks") == 1 + 75
    assert field(head, fields, "mask") == 1
    assert head[40:48] == hashlib.sha256(key).digest()[:8]
    assert field(head, fields, "key_len") == len(key)
    assert head[fields["key"][0]:][:len(key)] == key

    footer, fields = read(written, begin + found["zone_bytes"] - 4096, 4096), documented("Summary")
    assert footer[:8] == b"FBSUMMRY"
    assert field(footer, fields, "n") == len(listed["records"])
    size = field(footer, fields, "n_blocks") * 4096
    table = read(written, begin + found["zone_bytes"] - size, 48)
    fields = documented("Summary", 1) | {"fingerprint": (0, 8)}
    assert field(table, fields, "block") == record["block"]
    assert table[:8] == head[40:48]


def test_checkpoints_lie_as_documented(written):
    found = inspect(written)
    fields = documented("Checkpoint")
    for slot, told in enumerate(found["checkpoints"]):
        head = read(written, found["checkpoint_offset"] + slot * found["checkpoint_bytes"], 4096)
        assert head[:8] == b"FBCHECKP"
        assert field(head, fields, "sequence") == told["sequence"]
        assert field(head, fields, "n_listings") == told["extents"]
        assert field(head, fields, "n_zones") == found["n_zones"]
        assert field(head, fields, "n_bytes") == told["bytes"]
        if told["counts"]:
            at = fields["written"][0] + documented("Zone", 1)["admission"][0]
            assert 0 < int.from_bytes(head[at:at + 8], "little") <= found["written"]["admission"]


def test_verify_names_the_object_whose_bit_flipped(lab, written):
    path = lab.dir / "flipped"
    path.write_bytes(written.read_bytes())
    found = inspect(path)
    zone, record = list(records(path))[-1]
    at = found["zones_offset"] + zone * found["zone_bytes"] + (record["block"] + 1) * 4096 + 99
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 16]))
    done = store("verify", path)
    assert done.returncode == 1
    assert (f'zone {zone} block {record["block"]}: extent 0 of "{record["key"]}": '
            "chunk 0 does not fit its checksum\n") in done.stdout
    assert done.stdout.endswith(": 1 damaged\n")


def test_a_volume_in_use_is_read_with_a_warning_and_never_formatted(lab):
    path = lab.dir / "volume"
    with subprocess.Popen([str(BUILD / "forebay-edge"), "store", "bench", "--size", "64MiB",
                           "--object", "100KiB", "--seconds", "600", str(path)],
                          stdout=subprocess.DEVNULL) as writer:
        until(lambda: store("inspect", path).stderr.endswith("is in use\n"), "is in use")
        verified = store("verify", path)
        assert writer.poll() is None
        assert (verified.returncode, verified.stderr.count("in use")) == (0, 1), verified.stdout
        refused = store("format", "--node", "box-7", "--force", path)
        assert refused.returncode == 1 and "in use" in refused.stderr
        writer.kill()


def test_bench_takes_only_what_is_blank_and_leaves_it_so(lab, volume):
    before = volume.read_bytes()
    refused = store("bench", "--seconds", "1", volume)
    assert refused.returncode == 1 and "--force" in refused.stderr
    assert volume.read_bytes() == before
    done = store("bench", "--seconds", "1", "--force", volume)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^both +reads .* p99 \d+ us", done.stdout, re.M)
    assert inspect_fails(volume, "blank")
    assert store("format", "--node", "box-7", volume).returncode == 0

    scratch = lab.dir / "scratch"
    assert store("bench", "--size", "64MiB", "--seconds", "1", scratch).returncode == 0
    assert not scratch.exists()


def test_an_empty_volume_is_whole(volume):
    done = store("verify", volume)
    assert (done.returncode, done.stdout) == (0, "0 records, 0 B: all is whole\n")


def test_wrong_use_is_told_with_what_would_be_right():
    for args, words in [((), "verb is missing"), (("inspect",), "path"), (("format", "x"), "--node"),
                        (("verify", "--rate", "much", "x"), "100GiB"),
                        (("inspect", "a", "b"), "one path")]:
        done = store(*args)
        assert done.returncode == 2 and words in done.stderr, args


@pytest.mark.parametrize("verb", ["inspect", "verify", "format", "bench"])
def test_each_verb_has_a_page(verb):
    done = store(verb, "--help")
    assert done.returncode == 0
    for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLE"):
        assert f"\n{title}\n" in "\n" + done.stdout
    assert verb in store("--help").stdout
