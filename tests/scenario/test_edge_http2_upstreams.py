"""HTTP/2 between an edge and what it fills itself from: real programs at both ends."""
import threading

import pytest
from lab import get, until
from lab_tls import Authority, entry, tls_edge

SEGMENT = bytes(i * 7 % 253 for i in range(1_500_000))


@pytest.fixture(scope="module")
def authority(module_lab):
    return Authority(module_lab.dir / "ca")


@pytest.fixture(scope="module")
def origin(module_lab):
    origin = module_lab.scripted_origin()
    for i in range(24):
        origin.put(f"/v/{i}.m4s", SEGMENT[i:])
    return origin


@pytest.fixture(scope="module")
def region(module_lab, origin, authority):
    tls = entry("tiers", [authority.issue("region.example")])
    return tls_edge(module_lab, origin, tls, listen="tiers", name="region-1", role="regional",
                    workers=1)


def edge_of(lab, region, authority, secure=True, **keys):
    """An edge of one worker that fills itself from the regional node."""
    url = f"https://127.0.0.1:{region.tls_port}" if secure else region.url
    if secure:
        keys.update(tls="tiers", tls_name="region.example")
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    return lab.edge(upstreams=[f"{{url: '{url}', tier: regional{more}}}"], workers=1,
                    extra="tls:\n" + entry("tiers", [], authorities=authority.path))


def get_all(edge, n):
    """So many at once; their bodies."""
    bodies = [None] * n

    def one(i):
        bodies[i] = get(f"{edge.url}/v/{i}.m4s").body

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return bodies


@pytest.mark.parametrize("secure, protocol, is_http2", [
    (True, "auto", True), (True, "h2", True), (True, "h1", False), (False, "h2", True),
    (False, "auto", False)])
def test_the_protocol_is_what_both_ends_speak(lab, region, authority, secure, protocol, is_http2):
    edge = edge_of(lab, region, authority, secure, protocol=protocol)
    assert "protocol" not in edge.status()["upstreams"][0]
    assert get(edge.url + "/v/1.m4s").body == SEGMENT[1:]
    assert (edge.metric("fb_client_http2_requests_total") > 0) == is_http2
    assert edge.status()["upstreams"][0]["protocol"] == ("HTTP/2" if is_http2 else "HTTP/1.1")


def test_many_fills_share_one_connection(lab, region, authority):
    edge = edge_of(lab, region, authority)
    assert get_all(edge, 24) == [SEGMENT[i:] for i in range(24)]
    assert edge.metric("fb_client_http2_requests_total") >= 24
    assert edge.metric("fb_client_connections_opened_total") == 1


def test_a_node_that_leaves_is_asked_again_elsewhere(lab, origin, authority):
    """A regional node is stopped while it answers: what it has begun it ends, the rest goes to the
    origin, and no request fails."""
    tls = entry("tiers", [authority.issue("region.example")])
    region = tls_edge(lab, origin, tls, listen="tiers", name="region-2", role="regional", workers=1)
    up = (f"{{url: 'https://127.0.0.1:{region.tls_port}', tier: regional, tls: tiers, "
          "tls_name: region.example}")
    edge = lab.edge(upstreams=[up, origin.url], workers=1, name="box-3",
                    extra="tls:\n" + entry("tiers", [], authorities=authority.path))
    assert get(edge.url + "/v/0.m4s").body == SEGMENT
    stop = threading.Thread(target=region.stop)
    stop.start()
    bodies = get_all(edge, 24)
    stop.join()
    assert bodies == [SEGMENT[i:] for i in range(24)]


def test_health_is_told_of_http2_as_of_http1(lab, region, authority):
    edge = edge_of(lab, region, authority)
    assert get(edge.url + "/v/1.m4s").body == SEGMENT[1:]

    def node():
        (one,) = edge.status()["upstreams"]
        return one

    until(lambda: node()["requests"] == 0, "the request is over")
    assert node()["state"] == "up"
    label = f'{{upstream="https://127.0.0.1:{region.tls_port}"}}'
    assert edge.metric("edge_upstream_bytes_total" + label) == len(SEGMENT) - 1
    region_requests = edge.metric("edge_upstream_requests_total" + label)
    assert region_requests == edge.metric("fb_client_http2_requests_total")
