"""An edge behind regional nodes: who is asked for what, and what happens when one is lost."""
import signal
import time

from lab import get, until
from lab_load import Load, bytes_of, publish

PATHS = [f"/v/{n}.m4s" for n in range(60)]


def regional_of(node, more=""):
    return f"{{ url: {node.url}, tier: regional{more} }}"


def tiers(lab, origin, extra="", edge_memory="64MiB", n=2):
    """Regional nodes before the origin, and an edge before them."""
    nodes = [lab.edge(upstreams=[origin.url], name=f"region-{i}", role="regional", workers=1)
             for i in range(n)]
    edge = lab.edge(upstreams=[*map(regional_of, nodes), origin.url], memory=edge_memory,
                    extra=extra)
    return nodes, edge


def told_by(answer):
    """The nodes that answered, nearest to the origin first."""
    return [member.split(";")[0] for member in answer.headers["Cache-Status"].split(", ")]


def state_of(edge, node):
    return next(u for u in edge.status()["upstreams"] if u["url"] == node.url)


def test_each_object_is_asked_of_one_node_by_all_edges(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    nodes, edge = tiers(lab, origin)
    other = lab.edge(upstreams=[origin.url, *map(regional_of, reversed(nodes))], name="box-2")
    seen = {}
    for path in PATHS:
        answer = get(edge.url + path, headers={"Host": "video.example"})
        assert answer.body == bytes_of(path)
        seen[path] = told_by(answer)[0]
        again = get(other.url + path, headers={"Host": "video.example"})
        assert again.body == bytes_of(path) and told_by(again)[0] == seen[path]
    shares = [list(seen.values()).count(node.name) for node in nodes]
    assert sum(shares) == len(PATHS) and min(shares) > len(PATHS) // 4
    assert origin.count() == len(PATHS)
    assert origin.requests()[0].headers["CDN-Loop"] == f"box-1, {seen[PATHS[0]]}"
    assert [u["tier"] for u in edge.status()["upstreams"]] == ["regional", "regional", "origin"]


def test_a_node_killed_under_load_fails_no_request_and_comes_back(lab):
    origin = lab.scripted_origin()
    paths = [f"/load/{n}.m4s" for n in range(300)]
    publish(origin, paths)
    (lost, kept), edge = tiers(lab, origin, edge_memory="8MiB",
                               extra="failover: { min: 100ms, max: 300ms, slow_start: 1s }\n")
    load = Load(edge.port, paths, threads=4)
    until(lambda: load.count() > 100, "there is load")
    lost.kill()
    until(lambda: not state_of(edge, lost)["up"], "it is out of service")
    before = load.count()
    until(lambda: load.count() > before + 100, "the other one serves")
    assert state_of(edge, kept)["state"] == "up"
    lost.start()
    until(lambda: state_of(edge, lost)["state"] == "up", "it is back")
    sent = edge.metric(f'edge_upstream_requests_total{{upstream="{lost.url}"}}')
    until(lambda: edge.metric(f'edge_upstream_requests_total{{upstream="{lost.url}"}}') > sent + 20,
          "it has its keys again")
    load.stop()
    assert load.failed == []
    assert edge.metric('edge_requests_total{result="error"}') == 0


def test_without_any_node_the_origin_is_asked(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    nodes, edge = tiers(lab, origin)
    for node in nodes:
        node.stop()
    for path in PATHS[:20]:
        answer = get(edge.url + path)
        assert answer.body == bytes_of(path) and told_by(answer) == ["box-1"]
    assert origin.requests()[0].headers["CDN-Loop"] == "box-1"
    assert [u["state"] for u in edge.status()["upstreams"]] == ["ejected", "ejected", "up"]


def test_all_upstreams_lost_under_load_cost_nothing_that_is_kept(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    nodes, edge = tiers(lab, origin, extra="failover: { min: 100ms, max: 200ms }\n")
    for path in PATHS:
        assert get(edge.url + path).body == bytes_of(path)
    load = Load(edge.port, PATHS, threads=4)
    until(lambda: load.count() > 50, "there is load")
    for node in nodes:
        node.kill()
    origin.stop()
    before = load.count()
    until(lambda: load.count() > before + 200, "it goes on")
    assert get(edge.url + "/v/unknown.m4s").status == 502
    load.stop()
    assert load.failed == []
    origin.start()
    until(lambda: get(edge.url + "/v/unknown.m4s").status == 404, "the origin is asked again")


def test_a_node_that_cannot_reach_the_origin_is_gone_round(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    cut_off = lab.edge(upstreams=["http://127.0.0.1:1"], name="region-0", role="regional",
                       workers=1)
    edge = lab.edge(upstreams=[regional_of(cut_off), origin.url],
                    extra="failover: { min: 20s }\n")
    for path in PATHS:
        assert get(edge.url + path).body == bytes_of(path)
    assert state_of(edge, cut_off)["state"] == "open"  # for the share of its failures
    assert cut_off.status()["requests"]["total"] < len(PATHS) // 2


def test_a_stalled_head_is_overtaken(lab):
    slow, fast = lab.scripted_origin("slow"), lab.scripted_origin("fast")
    go = lab.event()
    for path in PATHS:
        slow.on(path, lambda e: e.wait(go))
        fast.put(path, bytes_of(path), {"Cache-Control": "max-age=60"})
    edge = lab.edge(upstreams=[slow.url, fast.url], workers=1,
                    extra="failover: { hedge: { after: least, least: 60ms, share: 100 } }\n")
    began = time.monotonic()
    for path in PATHS[:5]:
        assert get(edge.url + path).body == bytes_of(path)
    assert time.monotonic() - began < 10  # not the 15 s of one head that never comes
    assert edge.metric(f'edge_upstream_hedges_total{{upstream="{fast.url}"}}') == 5
    assert edge.metric(f'edge_upstream_hedges_won_total{{upstream="{fast.url}"}}') == 5
    until(lambda: state_of(edge, slow)["requests"] == 0, "those that were overtaken are canceled")
    assert state_of(edge, slow)["up"]
    go.set()


def test_two_nodes_that_ask_each_other_are_cut_with_508(lab):
    one = lab.edge(upstreams=["http://127.0.0.1:1"], name="region-1", role="regional", start=False)
    two = lab.edge(upstreams=[one.url], name="region-2", role="regional")
    one.config_path.write_text(one.config_path.read_text().replace("http://127.0.0.1:1\n",
                                                                   two.url + "\n"))
    one.start()
    answer = get(one.url + "/v/1.m4s")
    assert answer.status == 508 and "circle" in answer.json()["detail"]
    assert sum(node.status()["requests"]["total"] for node in (one, two)) == 3

    origin = lab.scripted_origin()
    publish(origin, PATHS)
    edge = lab.edge(upstreams=[regional_of(one), regional_of(two), origin.url])
    for path in PATHS[:10]:
        assert get(edge.url + path).body == bytes_of(path)  # a circle is no dead end


def test_an_alien_name_in_cdn_loop_is_passed_on(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    edge = lab.edge(upstreams=[origin.url])
    get(edge.url + PATHS[0], headers={"CDN-Loop": 'cdn.example; trace="a,box-1"'})
    assert origin.requests()[0].headers["CDN-Loop"] == 'cdn.example; trace="a,box-1", box-1'
    assert get(edge.url + PATHS[1], headers={"CDN-Loop": "box-1"}).status == 508
    many = ", ".join(f"n{i}" for i in range(40))
    assert get(edge.url + PATHS[1], headers={"CDN-Loop": many}).status == 508
    assert origin.count() == 1


def test_checks_take_a_node_out_and_back(lab):
    origin, node = lab.scripted_origin(), lab.scripted_origin("region")
    publish(origin, PATHS)
    publish(node, PATHS)
    well = {"status": 204}
    node.on("/health", lambda e: e.reply(well["status"]))
    check = f", check: \"{node.url}/health\""
    edge = lab.edge(upstreams=[regional_of(node, check), origin.url],
                    extra="health: { interval: 100ms, timeout: 1s, healthy: 2, unhealthy: 2 }\n"
                          "failover: { slow_start: 0 }\n")
    until(lambda: node.count("/health") > 2, "it is checked")
    assert get(edge.url + PATHS[0]).status == 200 and origin.count() == 0
    well["status"] = 503
    until(lambda: state_of(edge, node)["state"] == "ejected", "it is out of service")
    assert get(edge.url + PATHS[1]).status == 200 and origin.count() == 1
    well["status"] = 200
    until(lambda: state_of(edge, node)["state"] == "up", "it is back")
    assert get(edge.url + PATHS[2]).status == 200 and origin.count() == 1
    assert origin.count("/health") == 0


def test_a_node_that_hangs_under_load_fails_no_request(lab):
    origin = lab.scripted_origin()
    paths = [f"/load/{n}.m4s" for n in range(300)]
    publish(origin, paths)
    (lost, kept), edge = tiers(lab, origin, edge_memory="8MiB",
                               extra="failover: { min: 100ms, max: 300ms, slow_start: 0, "
                                     "hedge: { after: p95, share: 20 } }\n"
                                     "timeouts: { upstream_head: 500ms, upstream_body: 500ms, "
                                     "connect: 500ms }\n")
    load = Load(edge.port, paths, threads=4)
    until(lambda: load.count() > 200, "there is load")
    lost.process.send_signal(signal.SIGSTOP)  # its connections stand, and nothing comes
    try:
        until(lambda: not state_of(edge, lost)["up"], "it is out of service")
        before = load.count()
        until(lambda: load.count() > before + 200, "the other one serves")
    finally:
        lost.process.send_signal(signal.SIGCONT)
    until(lambda: state_of(edge, lost)["up"], "it is back")
    load.stop()
    assert load.failed == []
    assert edge.metric(f'edge_upstream_hedges_won_total{{upstream="{kept.url}"}}') > 0


def test_a_node_killed_in_the_middle_of_a_body_is_gone_on_from(lab):
    origin, go = lab.scripted_origin(), lab.event()
    path, body = "/film/1.m4s", bytes_of("/film/1.m4s")
    publish(origin, [path])
    serve = origin.scripts[path]

    def slow(exchange):
        origin.scripts[path] = serve
        exchange.head(200, {"Content-Length": len(body), "ETag": '"1"',
                            "Cache-Control": "max-age=600"})
        exchange.send(body[:150_000])
        exchange.wait(go)

    origin.on(path, slow)
    nodes, edge = tiers(lab, origin)
    with lab.client(edge) as client:
        client.request(path).read_head()
        received = client.read_some(100_000)
        lost = next(node for node in nodes if state_of(edge, node)["requests"] == 1)
        kept = next(node for node in nodes if node is not lost)
        lost.kill()
        client.read_body()
        assert client.response.complete and client.response.body == body
    assert received == body[:len(received)]
    assert kept.status()["requests"]["total"] == 1
    assert edge.metric("edge_fill_resumed_total") == 1
    assert origin.requests(path)[-1].headers["Range"].startswith("bytes=")
    go.set()
