"""A new process takes over while the edge serves, and nobody notices."""
import json
import os
import pathlib
import shutil
import signal
import threading

import pytest
from film import said
from lab import BUILD, Heir, get, until
from lab_load import bytes_of, publish
from lab_wire import SHARE, Client, Cut

PATHS = [f"/v/{i}.m4s" for i in range(24)]
RULES = "- {match: {suffix: [.m4s]}, class: segment}"


@pytest.fixture
def origin(lab):
    return lab.scripted_origin()


def edge_of(lab, origin, extra=""):
    return lab.edge(upstreams=[origin.url], rules=RULES, volumes=[("volume", "256MiB")],
                    extra="state: state\n" + extra)


def restarted(edge):
    """As soon as it can be: the process before the last may not have ended."""
    until(lambda: edge.restart().status == 200, "it restarts")


def has_volume(edge):
    return edge.status()["volumes"][0]["state"] == "online"


def rewrite(edge, old, new):
    text = edge.config_path.read_text()
    assert old in text
    edge.config_path.write_text(text.replace(old, new))


class Viewers:
    """Threads that ask, on a new connection each time or on one for as long as it stands. What is
    not answered in full has failed; only where a connection that was used before ends without a
    byte is the request made again, as each HTTP client does (RFC 9110 section 9.2.2)."""

    def __init__(self, edge, n=2):
        self.port, self.failed, self.n_answers = edge.port, [], 0
        self.stopping, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(keeps, i), daemon=True)
                        for keeps in (False, True) for i in range(n)]
        for thread in self.threads:
            thread.start()

    def answers(self):
        with self.lock:
            return self.n_answers

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.failed, self.failed[:5]

    def _run(self, keeps, i):
        client, n = None, i * 7
        while not self.stopping.is_set():
            path = PATHS[n % len(PATHS)]
            try:
                client, again = self._ask(client, path, keeps)
                n += 0 if again else 1
            except (OSError, Cut, AssertionError) as error:
                client = None
                with self.lock:
                    self.failed.append((path, keeps, repr(error)))
        if client:
            client.close()

    def _ask(self, client, path, keeps):
        """The connection to go on with, and whether to ask again."""
        is_used = client is not None
        client = client or Client(self.port, timeout=30)
        client.response = None
        try:
            answer = client.request(path).read()
        except (OSError, Cut):
            client.close()
            if is_used and client.response is None and not client.buffer:
                return None, True
            raise
        assert answer.status == 200 and answer.complete, (answer.status, answer.headers)
        assert answer.body == bytes_of(path)
        with self.lock:
            self.n_answers += 1
        if keeps and answer.headers.get("Connection") != "close":
            return client, False
        client.close()
        return None, False


def test_no_request_fails_however_often_it_restarts(lab, origin):
    publish(origin, PATHS)
    edge = edge_of(lab, origin)
    viewers, workers = Viewers(edge), 2
    for i in range(max(10 // SHARE, 3)):
        n = viewers.answers()
        until(lambda: viewers.answers() > n + 20, "they are served")
        rewrite(edge, f"workers: {workers}", f"workers: {(3, 1, 2)[i % 3]}")
        workers = (3, 1, 2)[i % 3]
        restarted(edge)
        assert edge.is_ready()
    n = viewers.answers()
    until(lambda: viewers.answers() > n + 20, "they are served")
    viewers.stop()
    edge.await_former()


def test_what_the_volumes_hold_is_hit_afterwards(lab, origin):
    publish(origin, PATHS)
    edge = edge_of(lab, origin)

    def are_kept():
        for path in PATHS:
            get(edge.url + path)
        return edge.status()["volumes"][0]["extents"] >= len(PATHS)

    until(are_kept, "all is on the volume")
    restarted(edge)
    edge.await_former()
    until(lambda: has_volume(edge), "it has the volume")
    n = origin.count()
    for path in PATHS:
        answer = get(edge.url + path)
        assert answer.body == bytes_of(path) and said(answer) == "box-1; hit"
    assert origin.count() == n


def test_a_purge_holds_for_what_the_old_process_still_writes(lab, origin):
    more = lab.event()

    def slowly(exchange):
        exchange.head(200, {"Content-Length": "6", "Cache-Control": "max-age=600"})
        exchange.send(b"abc")
        exchange.wait(more)
        exchange.send(b"def")

    origin.on("/slow.m4s", slowly)
    publish(origin, PATHS[:2])
    edge = edge_of(lab, origin)
    for path in PATHS[:2]:
        assert get(edge.url + path).status == 200
    assert get(f"{edge.admin}/purge?url={edge.url}{PATHS[0]}", "POST").status == 200
    with lab.client(edge) as viewer:
        viewer.request("/slow.m4s").read_head()
        viewer.read_some(3)
        restarted(edge)
        assert not has_volume(edge)
        for path in (PATHS[1], "/slow.m4s"):
            assert get(f"{edge.admin}/purge?url={edge.url}{path}", "POST").status == 200
        more.set()
        assert viewer.read_body() == b"abcdef" and viewer.response.complete
    edge.await_former()
    until(lambda: has_volume(edge), "it has the volume")
    purges = {purge["url"] for purge in get(edge.admin + "/purges").json()["purges"]}
    assert {path for path in (*PATHS[:2], "/slow.m4s") for p in purges if p.endswith(path)} == {
        *PATHS[:2], "/slow.m4s"}
    for path in (*PATHS[:2], "/slow.m4s"):
        assert "fwd=uri-miss" in said(get(edge.url + path)), path


def test_a_new_process_that_cannot_start_changes_nothing(lab, origin):
    publish(origin, PATHS[:1])
    edge = edge_of(lab, origin)
    pid = edge.pid
    get(edge.url + PATHS[0])
    rewrite(edge, "workers: 2", "workers: some")
    answer = edge.restart()
    assert answer.status == 422 and answer.headers["Content-Type"] == "application/problem+json"
    assert f"{edge.config_path}:3:" in answer.json()["detail"]
    os.kill(pid, signal.SIGUSR2)
    until(lambda: edge.log().count("not restarted, this process goes on") == 2, "the log says it")
    taken = f"127.0.0.1:{origin.port}"
    rewrite(edge, "workers: some", "workers: 2")
    rewrite(edge, "listen:\n", f"listen:\n  - address: {taken}\n")
    answer = edge.restart()
    assert answer.status == 503 and f"isten on {taken}" in answer.json()["detail"]
    assert edge.is_running() and edge.pid == pid and edge.is_ready()
    assert said(get(edge.url + PATHS[0])) == "box-1; hit"
    assert get(f"{edge.admin}/purge?tag=t", "POST").status == 200


def test_a_signal_restarts_as_well(lab, origin):
    publish(origin, PATHS[:1])
    edge = edge_of(lab, origin)
    Heir.expect()
    os.kill(edge.pid, signal.SIGUSR2)

    def taken():
        lines = [line for line in edge.log_lines() if "a new process has taken over" in line]
        return lines and json.loads(lines[0])["pid"]

    edge.follow(until(taken, "another has taken over"))
    edge.await_former()
    assert get(edge.url + PATHS[0]).body == bytes_of(PATHS[0])


def test_what_was_installed_at_its_path_is_started(lab, origin):
    publish(origin, PATHS[:1])
    usual = edge_of(lab, origin)
    usual.stop()
    program = lab.dir / "installed"
    program.symlink_to(BUILD / "forebay-edge")
    edge = lab.program(str(program), "box-1", usual.config_path.read_text(), usual.port,
                       usual.admin_port)

    def install(make):
        make(lab.dir / "next")
        (lab.dir / "next").rename(program)

    def dies(path: pathlib.Path):
        path.write_text("#!/bin/sh\nkill -9 $$\n")
        path.chmod(0o755)

    install(dies)
    answer = edge.restart()
    assert answer.status == 503 and "ended before it was ready" in answer.json()["detail"]
    program.unlink()
    answer = edge.restart()
    assert answer.status == 503 and str(program) in answer.json()["detail"]
    assert get(edge.url + PATHS[0]).body == bytes_of(PATHS[0])
    install(lambda path: shutil.copy(BUILD / "forebay-edge", path))
    assert edge.restart().status == 200
    assert os.readlink(f"/proc/{edge.pid}/exe") == str(program)
    assert get(edge.url + PATHS[0]).body == bytes_of(PATHS[0])


def test_an_end_that_is_asked_for_meanwhile_is_one(lab, origin):
    """The new process drains too while the old one still has the volume."""
    more = lab.event()

    def slowly(exchange):
        exchange.head(200, {"Content-Length": "6", "Cache-Control": "max-age=600"})
        exchange.wait(more)
        exchange.send(b"abcdef")

    origin.on("/slow.m4s", slowly)
    edge = edge_of(lab, origin)
    with lab.client(edge) as viewer:
        viewer.request("/slow.m4s").read_head()
        restarted(edge)
        answer = edge.restart()
        assert answer.status == 409 and "has not ended yet" in answer.json()["detail"]
        edge.terminate()
        until(lambda: '"stopped"' in edge.log(), "the new process has ended")
        more.set()
        assert viewer.read_body() == b"abcdef" and viewer.response.complete
    edge.await_former()
