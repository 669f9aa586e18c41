"""What each response tells of its way (RFC 9211)."""
import itertools

import pytest
from lab import get, until
from lab_script import status, tiers

BODY = b"a body of some bytes"
KEPT = {"Cache-Control": "max-age=600", "ETag": '"1"'}
SITES = """\
sites:
  - hosts: [shown.example]
    key: { query: all, exclude: [session], show: true }
    access: { keys: [{ id: k1, secret: 0123456789abcdef0123456789abcdef }], open: [/open/] }
  - hosts: [asked.example]
    requests: [no-cache, no-store, only-if-cached]
"""
NAMES = itertools.count()


@pytest.fixture(scope="module")
def edge(module_lab):
    edge = module_lab.edge(upstreams=[module_lab.scripted_origin().url], extra=SITES)
    edge.origin, edge.lab = module_lab.origins[0], module_lab
    return edge


def url_of(edge, fields=(), body=BODY, answer=200):
    """The URL of what is answered so."""
    path = f"/open/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(answer, body, fields or KEPT))
    return edge.url + path


def forwarded(answer, why, answered=200, **more):
    """True if an upstream was asked, for this reason and with this outcome."""
    said = status(answer)
    return (not said.hit and said.fwd == why and said.fwd_status == answered and
            all(getattr(said, name) == value for name, value in more.items()))


# ---- one parameter each --------------------------------------------------------

def test_a_hit_says_so_and_how_long_it_is_fresh(edge):
    url = url_of(edge)
    get(url)
    said = status(get(url))
    assert said.cache == "box-1" and said.hit and 0 < said.ttl <= 600
    assert said.fwd is None and said.fwd_status is None and not said.stored
    assert said.detail == "memory"


def test_a_hit_and_a_forward_exclude_each_other(edge):
    url = url_of(edge)
    for _ in range(2):
        text = get(url).headers["Cache-Status"]
        assert ("; hit" in text) != ("; fwd=" in text)


def test_what_is_stale_has_less_than_no_time_left(edge):
    url = url_of(edge, {"Cache-Control": "max-age=10, stale-while-revalidate=600", "Age": "60"})
    get(url)
    said = until(lambda: (s := status(get(url))).hit and s, "what is stale is served")
    assert said.ttl <= -50 and said.detail == "stale-while-revalidate"


def test_the_first_touch_is_a_uri_miss_that_is_stored(edge):
    assert forwarded(get(url_of(edge)), "uri-miss", stored=True, detail="first-touch")


def test_another_variant_is_a_vary_miss(edge):
    url = url_of(edge, {**KEPT, "Vary": "Accept-Language"})
    get(url, headers={"Accept-Language": "de"})
    assert forwarded(get(url, headers={"Accept-Language": "fr"}), "vary-miss", stored=True)


def test_a_validation_is_stale_with_the_status_of_the_upstream(edge):
    path = f"/open/{next(NAMES)}"
    edge.origin.put(path, BODY, {"Cache-Control": "max-age=0"})
    get(edge.url + path)
    answer = get(edge.url + path)
    assert answer.status == 200 and forwarded(answer, "stale", 304)


def test_a_part_that_is_here_makes_it_partial(edge):
    body, path = bytes(3 << 20), f"/open/{next(NAMES)}.mp4"
    edge.origin.put(path, body, KEPT)
    get(edge.url + path, span=(0, 99))
    until(lambda: status(get(edge.url + path, span=(0, 99))).hit, "its first chunk is here")
    answer = get(edge.url + path, span=(2 << 20, (2 << 20) + 9))
    assert forwarded(answer, "partial", 206)


def test_another_method_is_one(edge):
    assert forwarded(get(url_of(edge), "POST", body=b"x"), "method", stored=False)


def test_a_condition_that_only_the_origin_can_judge_is_a_bypass(edge):
    answer = get(url_of(edge), headers={"If-Match": '"2"'})
    assert forwarded(answer, "bypass", detail="precondition")


@pytest.mark.parametrize("demand", ["no-cache", "no-store"])
def test_what_a_client_demands_is_a_request(edge, demand):
    url, host = url_of(edge), {"Host": "asked.example"}
    if demand == "no-cache":
        get(url, headers=host)
    assert forwarded(get(url, headers={**host, "Cache-Control": demand}), "request")


def test_who_is_answered_here_alone_has_no_forward(edge):
    answer = get(url_of(edge), headers={"Host": "asked.example", "Cache-Control": "only-if-cached"})
    said = status(answer)
    assert answer.status == 504 and not said.hit and said.fwd is None and said.fwd_status is None


@pytest.mark.parametrize("fields,why", [({"Cache-Control": "no-store"}, "no-store"),
                                        ({"Cache-Control": "private"}, "private")])
def test_what_is_not_stored_does_not_say_so_but_why(edge, fields, why):
    assert forwarded(get(url_of(edge, fields)), "uri-miss", stored=False, detail=why)


@pytest.mark.parametrize("answered", [404, 503])
def test_the_upstreams_status_is_told_of_errors_too(edge, answered):
    assert forwarded(get(url_of(edge, {"X": "1"}, answer=answered)), "uri-miss", answered)


def test_an_upstream_that_did_not_answer_has_no_status(edge):
    path = f"/open/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.close())
    answer = get(edge.url + path)
    assert answer.status == 502 and forwarded(answer, "uri-miss", None)


def test_who_joins_the_fetch_of_another_is_collapsed(edge):
    path, go = f"/open/{next(NAMES)}", edge.lab.event()
    edge.origin.on(path, lambda e: (e.wait(go), e.reply(200, BODY, KEPT)))
    until(lambda: edge.metric("edge_fill_readers") == 0, "nobody else waits")
    clients = [edge.lab.client(edge).request(path) for _ in range(3)]
    until(lambda: edge.metric("edge_fill_readers") == 3, "all wait")
    go.set()
    said = [status(client.read()) for client in clients]
    for client in clients:
        client.close()
    assert sorted(s.collapsed for s in said) == [False, True, True]
    assert all(s.fwd == "uri-miss" and s.fwd_status == 200 for s in said)
    assert edge.origin.count(path) == 1


# ---- several caches -----------------------------------------------------------

def test_what_caches_before_this_one_said_stays_in_front(edge):
    url = url_of(edge, {**KEPT, "Cache-Status": "\"a, cache\"; fwd=miss; detail=\"x; \\\"y\\\"\""})
    for _ in range(2):
        first, second = tiers(get(url))
        assert first.cache == '"a, cache"' and first.fwd == "miss"
        assert second.cache == "box-1"


def test_a_problem_of_this_nodes_own_has_its_member_alone(edge):
    answer = get(edge.url + "/%zz")
    assert answer.status == 400 and [s.cache for s in tiers(answer)] == ["box-1"]


def test_a_304_and_a_part_tell_it_too(edge):
    url = url_of(edge)
    get(url)
    assert status(get(url, headers={"If-None-Match": '"1"'})).hit
    assert status(get(url, span=(0, 3))).hit
    assert status(get(url, "HEAD")).hit


# ---- key ----------------------------------------------------------------------

def shown(edge, target, **more):
    return status(get(edge.url + target, headers={"Host": "Shown.Example:80"}, **more))


def test_the_key_is_told_where_the_site_says_so(edge):
    path = url_of(edge)[len(edge.url):]
    for _ in range(2):  # of a miss, and of a hit
        assert shown(edge, f"{path}?b=2&session=x&a=%31").key == f"shown.example{path}?a=1&b=2"
    assert shown(edge, path, method="POST", body=b"x").key == f"shown.example{path}"
    assert edge.origin.count(path) == 2


def test_the_key_is_a_string_whatever_is_in_it(edge):
    for target in "/open/token", "/open/%22;x=1,%20y", "/open/*?a=%22":
        answer = get(edge.url + target, headers={"Host": "shown.example"})
        assert f'; key="shown.example{target}"' in answer.headers["Cache-Status"]


def test_the_key_is_told_to_nobody_else(edge):
    url = url_of(edge)
    for host in ("asked.example", "other.example"):
        for _ in range(2):
            assert status(get(url, headers={"Host": host})).key is None


def test_a_long_key_is_not_told(edge):
    assert shown(edge, "/open/" + "a" * 2000).key is None
    assert shown(edge, "/open/" + "a" * 900).key is not None


def test_a_token_is_no_part_of_the_key_that_is_told(edge):
    said = shown(edge, "/shut?token=secret.of.somebody")
    assert said.key == "shown.example/shut" and said.fwd is None
