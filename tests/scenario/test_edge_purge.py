"""Purges: by URL, prefix and tag, softly or for good; what they took stays away."""
import json
import random
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest
from film import said
from lab import BUILD, get, until
from lab_disk import fill_up, own_disk
from lab_wire import SHARE

RULES = """- {match: {suffix: [.m4s]}, class: segment}"""


@pytest.fixture
def origin(lab):
    return lab.scripted_origin()


@pytest.fixture
def edge(lab, origin):
    return lab.edge(upstreams=[origin.url], extra="state: state\n")


def purge(edge, soft=False, **what):
    query = urllib.parse.urlencode({**what, **({"soft": "1"} if soft else {})})
    return get(f"{edge.admin}/purge?{query}", "POST")


def receipt(answer):
    assert answer.status == 200, answer.body
    return answer.json()["epoch"]


def put(origin, path, body, tags=None, etag='"1"'):
    origin.put(path, body, {"Cache-Control": "max-age=600",
                            **({"Cache-Tag": tags} if tags else {})}, etag=etag)


# ---- what goes ----------------------------------------------------------------


def test_a_url_a_prefix_and_a_tag_go(origin, edge):
    for path, tags in (("/a", None), ("/v/7/1", None), ("/v/7/2", None), ("/v/8", "x, show-8"),
                       ("/w", "show-8 y"), ("/z", "show-9")):
        put(origin, path, path.encode(), tags)
        assert get(edge.url + path).body == path.encode()
    epochs = [receipt(purge(edge, url=f"{edge.url}/a")),
              receipt(purge(edge, prefix=f"{edge.url}/v/7/")),
              receipt(purge(edge, tag="show-8"))]
    assert epochs == sorted(set(epochs))
    for path in ("/a", "/v/7/1", "/v/7/2", "/v/8", "/w"):
        assert said(get(edge.url + path)).startswith("box-1; fwd=uri-miss; fwd-status=200"), path
        assert "hit" in said(get(edge.url + path)), path
    assert "hit" in said(get(edge.url + "/z"))


def test_what_is_purged_softly_is_validated(origin, edge):
    put(origin, "/v/1", b"one", "t")
    get(edge.url + "/v/1")
    for what in ({"url": edge.url + "/v/1"}, {"prefix": edge.url + "/v/"}, {"tag": "t"}):
        receipt(purge(edge, soft=True, **what))
        answer = get(edge.url + "/v/1")
        assert answer.body == b"one"
        assert said(answer).startswith("box-1; fwd=stale; fwd-status=304"), what
        assert "hit" in said(get(edge.url + "/v/1"))
    assert origin.requests()[-1].headers["If-None-Match"] == '"1"'


def test_what_is_purged_softly_stands_in_while_it_is_refreshed(origin, edge):
    origin.put("/p", b"one", {"Cache-Control": "max-age=600, stale-while-revalidate=60"})
    get(edge.url + "/p")
    receipt(purge(edge, soft=True, url=edge.url + "/p"))
    origin.put("/p", b"two", {"Cache-Control": "max-age=600"}, etag='"2"')
    answer = get(edge.url + "/p")
    assert answer.body == b"one"
    assert "detail=stale-while-revalidate" in answer.headers["Cache-Status"]
    until(lambda: get(edge.url + "/p").body == b"two", "it is refreshed")


def test_tags_are_for_tiers_not_for_players(lab, origin):
    put(origin, "/t", b"x", "show-7")
    regional = lab.edge(upstreams=[origin.url], name="region", role="regional")
    edge = lab.edge(upstreams=[regional.url])
    assert "Cache-Tag" not in get(edge.url + "/t").headers
    assert get(regional.url + "/t").headers["Cache-Tag"] == "show-7"
    receipt(purge(edge, tag="show-7"))
    again = get(edge.url + "/t").headers.all("Cache-Status")
    assert "box-1; fwd=uri-miss" in " ".join(again)


def test_several_go_in_one_call_or_none(origin, edge):
    for path in ("/a", "/b"):
        put(origin, path, b"x", "t" if path == "/b" else None)
        get(edge.url + path)
    body = {"purges": [{"url": edge.url + "/a"}, {"tag": "t", "soft": True}]}
    answer = get(edge.admin + "/purge", "POST", body=json.dumps(body).encode())
    epoch = receipt(answer)
    assert "fwd=uri-miss" in said(get(edge.url + "/a"))
    assert "fwd=stale" in said(get(edge.url + "/b"))
    body["purges"].append({"tag": "not one"})
    assert get(edge.admin + "/purge", "POST", body=json.dumps(body).encode()).status == 400
    assert "hit" in said(get(edge.url + "/a"))
    listed = get(edge.admin + "/purges").json()
    assert listed["epoch"] == epoch and listed["rules"] == 2 and listed["durable"]
    assert [p["epoch"] for p in listed["purges"]] == [epoch, epoch]
    assert listed["purges"][0]["tag"] == "t" and listed["purges"][0]["soft"]


@pytest.mark.parametrize("query", ["", "url=nonsense", "prefix=/v/", "tag=a%20b", "url=http://h/a&tag=t",
                                   "prefix=http://h/v/..", "prefix=http://h/v?x", "tag="])
def test_what_is_not_a_purge_is_refused(edge, query):
    before = get(edge.admin + "/purges").json()["epoch"]
    answer = get(f"{edge.admin}/purge?{query}", "POST")
    assert answer.status == 400 and answer.json()["detail"]
    assert get(edge.admin + "/purges").json()["epoch"] == before


@pytest.mark.parametrize("query, name", [("tag=a&sofft=1", "sofft"), ("Url=http://h/a", "Url"),
                                         ("tag=a&%73oft2", "%73oft2"), ("tag=a&<>=1", "<>")])
def test_a_parameter_that_no_purge_has_is_named(edge, query, name):
    before = get(edge.admin + "/purges").json()["epoch"]
    answer = get(f"{edge.admin}/purge?{query}", "POST")
    assert answer.status == 400 and f"no parameter '{name}'" in answer.json()["detail"]
    assert get(edge.admin + "/purges").json()["epoch"] == before


@pytest.mark.parametrize("query, said", [
    ("tag=a&tag=b", "'tag' is given twice"), ("url=http://h/a&%75rl=http://h/b", "'url' is given twice"),
    ("tag=a&soft=1&soft=0", "'soft' is given twice"), ("tag=a&soft=yes", "'soft' is"),
    ("tag=a&soft", "'soft' is"), ("tag=a&soft=", "'soft' is")])
def test_a_parameter_given_twice_or_wrongly_is_named(edge, query, said):
    before = get(edge.admin + "/purges").json()["epoch"]
    answer = get(f"{edge.admin}/purge?{query}", "POST")
    assert answer.status == 400 and said in answer.json()["detail"]
    assert get(edge.admin + "/purges").json()["epoch"] == before


@pytest.mark.parametrize("soft, is_soft", [("1", True), ("true", True), ("0", False), ("false", False)])
def test_a_purge_is_soft_as_it_says(edge, soft, is_soft):
    receipt(get(f"{edge.admin}/purge?tag=soft-{soft}&soft={soft}", "POST"))
    listed = get(edge.admin + "/purges").json()["purges"]
    assert [p["soft"] for p in listed if p.get("tag") == f"soft-{soft}"] == [is_soft]


@pytest.mark.parametrize("fields", [{"Origin": "http://evil.example"}, {"Origin": "null"},
                                    {"Sec-Fetch-Site": "cross-site"},
                                    {"Host": "evil.example", "Origin": "http://evil.example",
                                     "Sec-Fetch-Site": "same-origin"}])
def test_a_page_of_another_site_purges_nothing(edge, fields):
    before = get(edge.admin + "/purges").json()["epoch"]
    answer = get(f"{edge.admin}/purge?tag=t", "POST", headers=fields)
    assert answer.status == 403 and answer.headers["Content-Type"] == "application/problem+json"
    assert get(f"{edge.admin}/reload", "POST", headers=fields).status == 403
    assert get(edge.admin + "/purges", headers=fields).json()["epoch"] == before


def test_a_page_of_its_own_purges(edge):
    own = edge.admin.removeprefix("http://")
    fields = {"Origin": edge.admin, "Host": own, "Sec-Fetch-Site": "same-origin"}
    receipt(get(f"{edge.admin}/purge?tag=t", "POST", headers=fields))


def test_a_script_purges_by_any_name_of_the_node(edge):
    receipt(get(f"{edge.admin}/purge?tag=t", "POST", headers={"Host": "node.example:9100"}))


def test_without_a_folder_a_node_with_volumes_purges_urls_alone(lab, origin):
    edge = lab.edge(upstreams=[origin.url], volumes=[("volume", "256MiB")])
    answer = purge(edge, prefix=f"{edge.url}/v/")
    assert answer.status == 409 and "state" in answer.json()["detail"]
    assert purge(edge, soft=True, url=f"{edge.url}/v/1").status == 409
    receipt(purge(edge, url=f"{edge.url}/v/1"))


# ---- what stays away ------------------------------------------------------------


def volume_edge(lab, origin):
    return lab.edge(upstreams=[origin.url], memory="16MiB", volumes=[("volume", "256MiB")],
                    extra="state: state\n")


def kept(edge, paths):
    def are_there():
        for path in paths:
            get(edge.url + path)
        return edge.status()["volumes"][0]["extents"] >= len(paths)
    until(are_there, "all is on the volume")


def test_nothing_returns_after_a_kill_that_follows_the_receipt(lab, origin):
    paths = [f"/v/{i}" for i in range(4)] + ["/u", "/t", "/stays"]
    for path in paths:
        put(origin, path, b"old", "t" if path == "/t" else None, etag='"old"')
    edge = volume_edge(lab, origin)
    kept(edge, paths)
    receipt(purge(edge, url=f"{edge.url}/u"))
    receipt(purge(edge, tag="t"))
    receipt(purge(edge, prefix=f"{edge.url}/v/"))
    edge.kill()
    edge.start()
    for path in paths[:-1]:
        put(origin, path, b"new", etag='"new"')
        assert get(edge.url + path).body == b"new", path
    assert get(edge.url + "/stays").body == b"old"


def test_nothing_returns_with_an_old_volume(lab, origin):
    paths = ["/v/1", "/u", "/t", "/soft", "/stays"]
    for path in paths:
        put(origin, path, b"old", path[1:], etag='"old"')
    edge = volume_edge(lab, origin)
    kept(edge, paths)
    edge.stop()
    shutil.copy(edge.dir / "volume", edge.dir / "old")
    edge.start()
    receipt(purge(edge, url=f"{edge.url}/u"))
    receipt(purge(edge, tag="t"))
    receipt(purge(edge, prefix=f"{edge.url}/v/"))
    receipt(purge(edge, soft=True, tag="soft"))
    edge.stop()
    shutil.copy(edge.dir / "old", edge.dir / "volume")
    edge.start()
    n = origin.count("/stays")
    for path in ("/v/1", "/u", "/t", "/soft"):
        put(origin, path, b"new", etag='"new"')
        answer = get(edge.url + path)
        assert answer.body == b"new" and "vary-miss" not in said(answer), path
    assert get(edge.url + "/stays").body == b"old" and origin.count("/stays") == n


def test_without_its_log_a_node_validates_what_its_volume_has(lab, origin):
    put(origin, "/a", b"kept")
    edge = volume_edge(lab, origin)
    kept(edge, ["/a"])
    edge.stop()
    shutil.rmtree(edge.dir / "state")
    edge.start()
    assert "fwd=stale; fwd-status=304" in said(get(edge.url + "/a"))
    assert "hit" in said(get(edge.url + "/a"))


def test_without_its_folder_a_node_forgets_no_purge(lab, origin):
    """`state` leaves the configuration: the volume knows that a log of purges stood beside it."""
    for path in ("/v/1", "/a", "/later"):
        put(origin, path, b"old", etag='"old"')
    edge = volume_edge(lab, origin)
    kept(edge, ["/v/1", "/a"])
    receipt(purge(edge, prefix=f"{edge.url}/v/"))
    edge.stop()
    with_state = edge.config_path.read_text()
    edge.config_path.write_text(with_state.replace("state: state\n", ""))
    put(origin, "/v/1", b"new", etag='"new"')
    edge.start()
    assert "the log of its purges is not here" in edge.log()
    assert get(edge.url + "/v/1").body == b"new"
    assert "fwd=stale; fwd-status=304" in said(get(edge.url + "/a"))
    kept(edge, ["/v/1", "/a", "/later"])
    edge.stop()
    edge.start()  # what came since is not in doubt
    assert "hit" in said(get(edge.url + "/later"))
    edge.stop()
    edge.config_path.write_text(with_state)
    edge.start()
    assert get(edge.url + "/v/1").body == b"new"


@pytest.mark.parametrize("what", ["url", "tag"])
def test_a_fill_that_began_before_a_purge_is_for_those_who_came_before(lab, origin, edge, what):
    asked, go = lab.event(), lab.event()

    def slow(exchange):
        asked.set()
        exchange.wait(go)
        exchange.reply(200, b"old", {"Cache-Control": "max-age=600", "Cache-Tag": "t"})

    origin.on("/slow", slow)
    first = lab.client(edge).request("/slow")
    assert asked.wait(20)
    receipt(purge(edge, **({"url": edge.url + "/slow"} if what == "url" else {"tag": "t"})))
    origin.on("/slow", lambda exchange: exchange.reply(200, b"new",
                                                       {"Cache-Control": "max-age=600"}))
    second = lab.client(edge).request("/slow")
    if what == "url":  # known before the old answer comes
        assert second.read().body == b"new"
    go.set()
    assert first.read().body == b"old"
    if what == "tag":
        assert second.read().body == b"new"
    assert get(edge.url + "/slow").body == b"new"


# ---- a great many ----------------------------------------------------------------

MANY, AT_ONCE = 100_000 // SHARE, 100


def fetch_all(port, paths):
    """Asks for all of them on one connection, many at a time; every answer has to be a 200."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        for i in range(0, len(paths), AT_ONCE):
            some = paths[i:i + AT_ONCE]
            sock.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % p.encode()
                                  for p in some))
            got, tail, n = 0, b"", 0
            while n < len(some):
                data = sock.recv(1 << 20)
                assert data, "the connection was cut"
                text = tail + data
                got += text.count(b"HTTP/1.1 200 ") - tail.count(b"HTTP/1.1 200 ")
                n += text.count(b"\r\n\r\nGET ") - tail.count(b"\r\n\r\nGET ")
                tail = text[-64:]
            assert got == n


class Hits:
    """Threads that ask for what is there, and how long each answer took."""

    def __init__(self, lab, edge, paths, threads=2):
        self.times, self.problems, self.over = [], [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(lab, edge, paths, i), daemon=True)
                        for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, lab, edge, paths, seed):
        dice = random.Random(seed)
        try:
            client = lab.client(edge)
            while not self.over.is_set():
                path = dice.choice(paths)
                began = time.monotonic()
                answer = client.request(path, headers={"Host": "h"}).read()
                self.times.append(time.monotonic() - began)
                if answer.status != 200 or "hit" not in said(answer):
                    self.problems.append((path, answer.status, said(answer)))
        except Exception as error:  # whatever a client may run into is a failed request
            self.problems.append(repr(error))

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_a_hundred_thousand_go_by_prefix_and_nobody_waits(lab):
    server = subprocess.Popen([str(BUILD / "echo-server")], stdout=subprocess.PIPE, text=True)
    try:
        upstream = int(server.stdout.readline().split()[1])
        edge = lab.edge(upstreams=[f"http://127.0.0.1:{upstream}"], memory="1GiB", workers=2,
                        rules=RULES, extra="state: state\nlimits:\n  requests: 1000000\n")
        hot = [f"/hot/{i}.m4s" for i in range(200)]
        many = [f"/v/{i}.m4s" for i in range(MANY)]
        fetch_all(edge.port, hot)
        halves = [threading.Thread(target=fetch_all, args=(edge.port, many[i::2]))
                  for i in range(2)]
        for thread in halves:
            thread.start()
        for thread in halves:
            thread.join()
        assert edge.metric("edge_store_objects") == MANY + len(hot)
        hits = Hits(lab, edge, hot)
        until(lambda: len(hits.times) > 100, "hits are under way")
        n_before = len(hits.times)
        began = time.monotonic()
        receipt(purge(edge, prefix="http://h/v/"))
        took = time.monotonic() - began
        dice = random.Random(7)
        for path in dice.sample(many, 50):  # while the sweep is still on
            answer = get(edge.url + path, headers={"Host": "h"})
            assert "fwd=uri-miss" in said(answer)
        swept = until(lambda: (now := get(edge.admin + "/purges").json()["sweep"])
                      and not now["running"] and now, "the sweep is over", deadline=60)
        swept_in = time.monotonic() - began
        hits.stop()
        assert not hits.problems, hits.problems[:5]
        during = sorted(hits.times[n_before:])
        print(f"purge answered in {took * 1000:.1f} ms, swept in {swept_in * 1000:.0f} ms; hits "
              f"meanwhile: {len(during)}, p99 {during[len(during) * 99 // 100] * 1000:.2f} ms, "
              f"longest {during[-1] * 1000:.2f} ms")
        assert swept["freed"] >= MANY - 50
        assert edge.metric("edge_store_purged_total") == MANY
        assert edge.metric("edge_store_objects") <= len(hot) + 50
        for path in dice.sample(many, 200):
            answer = get(edge.url + path, headers={"Host": "h"})
            assert answer.status == 200 and answer.body.decode().startswith(f"GET {path} ")
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


def test_a_node_comes_up_though_the_disk_of_its_purges_is_full(lab, origin):
    put(origin, "/a", b"a", "t")
    disk = own_disk(lab.dir / "disk", "1m")
    edge = lab.edge(upstreams=[origin.url], extra=f"state: {disk}/state\n")
    epoch = receipt(purge(edge, tag="t"))
    edge.kill()
    filler = fill_up(disk)
    edge.start()
    kept = get(edge.admin + "/purges").json()
    assert kept["durable"] and [one["epoch"] for one in kept["purges"]] == [epoch]
    get(edge.url + "/a")
    assert purge(edge, tag="t").status == 507
    assert "hit" in said(get(edge.url + "/a"))
    filler.unlink()
    assert receipt(purge(edge, tag="t")) > epoch
    assert "hit" not in said(get(edge.url + "/a"))
