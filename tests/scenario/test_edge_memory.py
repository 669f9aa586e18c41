"""The bound of memory, as the system sees it: what the edge has resident under load."""
import os
import threading

import pytest
from film import MIB, Film
from lab import SANITIZER_ENV, get

KIB = 1024
# Beside the store: connections, buffers of the volume's writer, its index, admission.
BESIDE = 32 * MIB


def memory_of(edge):
    """Bytes that are mapped, and resident."""
    with open(f"/proc/{edge.pid}/statm", encoding="ascii") as statm:
        return [int(n) * os.sysconf("SC_PAGESIZE") for n in statm.read().split()[:2]]


def watch_all(edge, films):
    """Starts four viewers; returns them, and what will say whether all they got was whole."""
    wholes = []

    def watch(some):
        wholes.append(all(len(get(edge.url + film.path, timeout=60).body) == film.size
                          for film in some))

    viewers = [threading.Thread(target=watch, args=(films[i::4],)) for i in range(4)]
    for viewer in viewers:
        viewer.start()
    return viewers, wholes


@pytest.mark.parametrize("memory", [32, 256])  # below and above where huge pages are used
@pytest.mark.parametrize("volumes", [(), (("volume", "512MiB"),)], ids=["alone", "volume"])
def test_what_is_resident_stays_within_the_bound(lab, memory, volumes):
    origin = lab.scripted_origin()
    films = [Film(origin, f"/v/{i}", size, f'"{i}"') for i, size in enumerate(
        n for k in range(20) for n in (20 * MIB - k * 37 * KIB, k * 31 * KIB + 300))]
    edge = lab.edge(upstreams=[origin.url], memory=f"{memory}MiB", volumes=volumes, start=False)
    asan = SANITIZER_ENV["ASAN_OPTIONS"] + ":quarantine_size_mb=1"
    edge.start(env={"ASAN_OPTIONS": asan})
    (mapped, before), most = memory_of(edge), 0
    for _ in range(2):
        viewers, wholes = watch_all(edge, films)
        for viewer in viewers:
            while viewer.is_alive():
                viewer.join(0.05)
                most = max(most, memory_of(edge)[1] - before)
                assert edge.status()["store"]["memory_bytes"] <= memory * MIB
        assert wholes == [True] * 4
    if mapped < 1 << 40:  # else a sanitizer's shadow, which is resident too
        assert most < memory * MIB + BESIDE, f"{most / MIB:.0f} MiB more than at the start"
    if volumes:
        assert edge.metric("edge_store_loaded_total") > 20
