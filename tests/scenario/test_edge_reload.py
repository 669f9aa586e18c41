"""The configuration read again while the edge serves."""
import os
import signal

import pytest
from lab import get, until
from lab_load import Load, bytes_of, publish
from test_edge_cache import member


@pytest.fixture
def origin(lab):
    return lab.scripted_origin()


@pytest.fixture
def edge(lab, origin):
    return lab.edge(upstreams=[origin.url], rules="[]")


def rewrite(edge, old, new):
    text = edge.config_path.read_text()
    assert old in text
    edge.config_path.write_text(text.replace(old, new))


def append(edge, text):
    edge.config_path.write_text(edge.config_path.read_text() + text)


def reload(edge):
    return get(edge.admin + "/reload", method="POST")


SEGMENTS = "sites:\n  - hosts: ['*']\n    rules: [{ match: { suffix: [.m4s] }, class: segment }]\n"


def test_new_sites_hold_once_reload_has_answered(origin, edge):
    origin.put("/a.m4s", b"x")
    for _ in range(2):
        assert "hit" not in member(get(edge.url + "/a.m4s"))
    append(edge, SEGMENTS)
    answer = reload(edge)
    assert answer.status == 200 and answer.json() == {"reloaded": True, "restart_needed": []}
    get(edge.url + "/a.m4s")
    for _ in range(20):  # on connections of all workers
        assert "hit" in member(get(edge.url + "/a.m4s"))


def test_a_signal_reloads_as_well(origin, edge):
    origin.put("/a.m4s", b"x")
    append(edge, SEGMENTS)
    os.kill(edge.pid, signal.SIGHUP)
    until(lambda: "configuration reloaded" in edge.log(), "it was reloaded")
    get(edge.url + "/a.m4s")
    assert "hit" in member(get(edge.url + "/a.m4s"))


@pytest.mark.parametrize("text, sentence", [
    ("sites:\n  - hosts: [a]\n    key: {query: some}\n", ":{line}:18: 'query' is 'some'"),
    ("sites:\n  - hosts: [a]\n  - hosts: [b, A]\n", ":{line}:5: 'sites': host 'A' is listed twice"),
    ("sites:\n  - hosts: [a]\n    rules: [{match: {regex: ['(']}, class: other}]\n",
     ":{line}:30: 'regex': '(' is no regular expression"),
    ("sites: [\n", ":"),
])
def test_a_broken_file_changes_nothing(origin, edge, text, sentence):
    origin.put("/a.m4s", b"x")
    append(edge, SEGMENTS)
    reload(edge)
    get(edge.url + "/a.m4s")
    edge.config_path.write_text(edge.config_path.read_text().replace(SEGMENTS, text))
    line = len(edge.config_path.read_text().splitlines())
    answer = reload(edge)
    assert answer.status == 422 and answer.headers["Content-Type"] == "application/problem+json"
    assert str(edge.config_path) + sentence.format(line=line) in answer.json()["detail"]
    os.kill(edge.pid, signal.SIGHUP)
    until(lambda: edge.log().count("nothing has changed") == 2, "the log says it")
    assert "hit" in member(get(edge.url + "/a.m4s"))
    assert edge.is_ready()


def test_what_needs_a_restart_is_named_and_left_as_it_was(edge):
    rewrite(edge, "memory: 64MiB", "memory: 128MiB")
    rewrite(edge, "workers: 2", "workers: 1")
    append(edge, "timeouts: { idle: 5s, connect: 1s }\n")
    answer = reload(edge)
    assert answer.json()["restart_needed"] == ["workers", "store.memory", "timeouts.idle"]
    assert "workers, store.memory, timeouts.idle" in edge.log()
    assert edge.status()["store"]["memory_limit"] == 64 << 20


def test_upstreams_change_without_a_restart(lab, origin, edge):
    other = lab.scripted_origin("other")
    origin.put("/a", b"old", etag='"old"')
    other.put("/a", b"new", etag='"new"')
    assert get(edge.url + "/a").body == b"old"
    rewrite(edge, origin.url, other.url)
    assert reload(edge).json()["restart_needed"] == []
    assert get(edge.url + "/a").body == b"new"
    assert [upstream["url"] for upstream in edge.status()["upstreams"]] == [other.url]


def test_a_request_under_way_ends_as_it_began(lab, origin, edge):
    more = lab.event()

    def slowly(exchange):
        exchange.head(200, {"Content-Length": "6", "Content-Type": "video/mp4"})
        exchange.send(b"abc")
        exchange.wait(more)
        exchange.send(b"def")

    origin.on("/slow.m4s", slowly)
    append(edge, SEGMENTS + "    headers: { add: ['X-Reign: first'] }\n")
    reload(edge)
    with lab.client(edge) as client, lab.client(edge) as second:
        client.request("/slow.m4s").read_head()
        for reign in ("second", "third"):
            text = edge.config_path.read_text().split("X-Reign: ")[0]
            edge.config_path.write_text(text + f"X-Reign: {reign}'] }}\n")
            assert reload(edge).status == 200
        answer = second.request("/slow.m4s").read_head()
        assert answer.headers["X-Reign"] == "third"
        more.set()
        assert client.read_body() == b"abcdef" and second.read_body() == b"abcdef"
    # The fill that began under the first is kept as it said.
    again = get(edge.url + "/slow.m4s")
    assert again.body == b"abcdef" and "hit" in member(again)


def test_log_files_are_opened_again_even_if_the_configuration_is_broken(lab, origin):
    edge = lab.edge(upstreams=[origin.url], extra="access_log: { format: json, path: access.log }\n")
    get(edge.url + "/a")
    log = edge.dir / "access.log"
    until(lambda: log.exists() and log.read_text(), "a line is there")
    log.rename(edge.dir / "old.log")
    append(edge, "nonsense: true\n")
    assert reload(edge).status == 422
    until(log.exists, "there is a new file")
    get(edge.url + "/b")
    until(lambda: '"/b"' in log.read_text(), "lines go to the new file")


def test_twenty_reloads_under_load_fail_no_request(origin, edge):
    paths = [f"/film/{i}.m4s" for i in range(4)] + [f"/v/{i}.m4s" for i in range(40)]
    publish(origin, paths)
    append(edge, "sites:\n  - hosts: ['*']\n    headers: { add: ['X-Reign: 0'] }\n")
    assert reload(edge).status == 200
    load = Load(edge.port, paths, threads=4)
    for reign in range(1, 21):
        before = load.count()
        text = edge.config_path.read_text().split("X-Reign: ")[0]
        edge.config_path.write_text(text + f"X-Reign: {reign}'] }}\n")
        if reign % 2:
            assert reload(edge).status == 200
        else:
            os.kill(edge.pid, signal.SIGHUP)
            until(lambda n=reign: edge.log().count("configuration reloaded") == n + 1, "reloaded")
        answer = get(edge.url + paths[0])
        assert answer.headers["X-Reign"] == str(reign) and answer.body == bytes_of(paths[0])
        until(lambda n=before: load.count() > n + 20, "the load goes on")
    load.stop()
    assert not load.failed and load.count() > 400
    assert edge.metric("process_open_fds") < 200


def test_a_signal_to_reload_that_comes_at_the_very_end_kills_nobody(origin, edge):
    edge.terminate()
    while edge.is_running():
        edge.process.send_signal(signal.SIGHUP)
    assert edge.wait() == 0
