"""What origins say of keeping, in the whole program: targeted fields, fields of one client, damage."""
import re

import pytest
from lab import get

BODY = b"what is kept " * 100


def member(response, node="box-1"):
    """This node's member of Cache-Status."""
    members = [m.strip() for m in response.headers["Cache-Status"].split(",")]
    assert members[-1].startswith(node), members
    return members[-1]


def ttl(response):
    return int(re.search(r"ttl=(-?\d+)", member(response))[1])


def test_a_targeted_field_reaches_all_tiers_and_no_player(lab):
    origin = lab.scripted_origin()
    origin.put("/x", BODY, {"Forebay-Cache-Control": "max-age=3600, public",
                            "CDN-Cache-Control": "max-age=60", "Cache-Control": "no-store"})
    regional = lab.edge(upstreams=[origin.url], name="region-1", role="regional")
    edge = lab.edge(upstreams=[regional.url], name="box-1")

    for _ in range(2):
        told = get(edge.url + "/x")
        assert told.body == BODY
        assert "Forebay-Cache-Control" not in told.headers
        assert told.headers["CDN-Cache-Control"] == "max-age=60"
        assert told.headers["Cache-Control"] == "no-store"
    assert 3500 < ttl(told) <= 3600
    assert origin.count() == 1
    assert get(regional.url + "/x").headers["Forebay-Cache-Control"] == "max-age=3600, public"


def test_what_is_private_goes_to_one_client_and_the_rest_to_all(lab):
    origin = lab.scripted_origin()
    origin.put("/x", BODY, {"Cache-Control": 'max-age=60, private="set-cookie"',
                            "Set-Cookie": "me=1", "X-All": "1"})
    edge = lab.edge(upstreams=[origin.url])

    first, second = get(edge.url + "/x"), get(edge.url + "/x")
    assert first.headers["Set-Cookie"] == "me=1"
    assert "Set-Cookie" not in second.headers and second.headers["X-All"] == "1"
    assert member(second).startswith("box-1; hit")
    assert origin.count() == 1


@pytest.mark.parametrize("said", [
    "max-age = 60", "max-age=-1", "max-age=60.0", "max-age=60, max-age=0", "public=1",
    'max-age=60, x="a', "max-age=60, no-store=1", 'max-age=60, private="content-type"'])
def test_what_is_damaged_is_never_fresh(lab, said):
    origin = lab.scripted_origin()
    origin.put("/x", BODY, {"Cache-Control": said})
    edge = lab.edge(upstreams=[origin.url])

    for _ in range(2):
        assert get(edge.url + "/x").body == BODY
    assert origin.count() == 2


def test_a_demand_of_a_client_is_not_obeyed_unless_the_site_says_so(lab):
    origin = lab.scripted_origin()
    origin.put("/x", BODY, {"Cache-Control": "max-age=60"})
    edge = lab.edge(upstreams=[origin.url])

    get(edge.url + "/x")
    for said in ("no-cache", "max-age=0", "no-store", "min-fresh=3600"):
        told = get(edge.url + "/x", headers={"Cache-Control": said, "Pragma": "no-cache"})
        assert member(told).startswith("box-1; hit")
    assert origin.count() == 1
