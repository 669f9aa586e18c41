"""Load that knows every byte it ought to get.

A catalogue names objects and tells their bytes from the name alone; a load asks
an edge for them on several connections and compares each body. What was
answered, and when, is remembered for whoever asks later.
"""
import functools
import hashlib
import random
import threading
import time

from lab_wire import Client, Cut


@functools.lru_cache(maxsize=96)  # a load compares each answer
def bytes_of(path):
    """The content at a path: the same for the same path, different for any other; larger
    below /film/."""
    seed = hashlib.sha256(path.encode()).digest()
    smallest, largest = (200_000, 1_500_000) if path.startswith("/film/") else (2_000, 300_000)
    size = smallest + int.from_bytes(seed[:4], "little") % (largest - smallest)
    return hashlib.shake_128(seed).digest(size)


def publish(origin, paths):
    """Puts the objects of a catalogue on a scripted origin."""
    for path in paths:
        origin.put(path, bytes_of(path), headers={"Cache-Control": "max-age=600"})


class Load:
    """Threads that ask for paths until told to stop or until the server is gone.

    `answers` maps a path to the times at which it was answered in full; `failed` has what was
    not: (path, status)."""

    def __init__(self, port, paths, threads=3, seed=0):
        self.port, self.paths = port, list(paths)
        self.answers, self.wrong, self.failed, self.lock = {}, [], [], threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(random.Random(seed * 97 + i),),
                                         daemon=True) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.wrong, f"wrong bytes: {self.wrong[:5]}"
        return self

    def count(self):
        with self.lock:
            return sum(len(times) for times in self.answers.values())

    def _run(self, dice):
        while not self.stopping.is_set():
            try:
                with Client(self.port, timeout=30) as client:
                    self._converse(client, dice)
            except (OSError, Cut):
                self.stopping.wait(0.01)  # the server is gone: for good or until it is back

    def _converse(self, client, dice):
        while not self.stopping.is_set():
            path = self.paths[min(int(dice.expovariate(4 / len(self.paths))), len(self.paths) - 1)]
            response = client.request(path).read()
            if not response.complete:
                with self.lock:
                    self.failed.append((path, f"{response.status}, cut"))
                return
            with self.lock:
                if response.status == 200 and response.body != bytes_of(path):
                    self.wrong.append((path, len(response.body), response.headers))
                elif response.status != 200:
                    self.failed.append((path, response.status))
                else:
                    self.answers.setdefault(path, []).append(time.monotonic())
