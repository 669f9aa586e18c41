"""What upstreams are told of the host that was named, and of whose request it is."""
from lab import get, until

SEGMENT = {"Cache-Control": "max-age=600"}
TOLD = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded")


def upstream(origin, **keys):
    return "{ url: " + origin.url + "".join(f", {k}: {v}" for k, v in keys.items()) + " }"


def told(request):
    return {name: request.headers[name] for name in TOLD if name in request.headers}


def test_an_upstream_is_named_as_it_is_configured(lab):
    plain, named = lab.scripted_origin("plain"), lab.scripted_origin("named")
    for origin in (plain, named):
        origin.put("/v/1.m4s", b"x" * 100, SEGMENT)
        origin.on("/health", lambda e: e.reply(204))
    named.on("/v/1.m4s", lambda e: e.reply(503))  # the other one stands in
    edge = lab.edge(upstreams=[upstream(named, host="media.example:8443"), plain.url],
                    extra="health: { path: /health, interval: 50ms }\n")
    for host in ("a.example", "b.example"):  # as ever, these are two things
        assert get(edge.url + "/v/1.m4s", headers={"Host": host}).status == 200
    assert {r.headers["Host"] for r in named.requests("/v/1.m4s")} == {"media.example:8443"}
    assert [r.headers["Host"] for r in plain.requests("/v/1.m4s")] == ["a.example", "b.example"]
    until(lambda: plain.count("/health") and named.count("/health"), "both are checked")
    assert {r.headers["Host"] for r in named.requests("/health")} == {"media.example:8443"}
    assert {r.headers["Host"] for r in plain.requests("/health")} == {f"127.0.0.1:{plain.port}"}


def test_whose_request_it_is_is_told_where_it_is_one_clients_alone(lab):
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", b"x" * 100, SEGMENT)
    origin.on("/beacon", lambda e: e.reply(204))
    claim = {"Host": "a.example", "X-Forwarded-For": "evil", "Forwarded": "for=evil"}
    for form, expected in (
            ("off", {}),
            ("x-forwarded", {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http",
                             "X-Forwarded-Host": "a.example"}),
            ("rfc7239", {"Forwarded": 'for=127.0.0.1;host="a.example";proto=http'})):
        edge = lab.edge(upstreams=[upstream(origin, forwarded=form)], name=f"box-{form}")
        with lab.client(edge) as client:
            assert client.request("/beacon", "POST", claim, b"x").read("POST").status == 204
        assert told(origin.requests("/beacon")[-1]) == expected
        assert get(edge.url + "/v/1.m4s", headers=claim).status == 200
        assert told(origin.requests("/v/1.m4s")[-1]) == {}
        edge.stop()


def test_a_tier_above_believes_the_tier_below_that_it_trusts(lab):
    origin = lab.scripted_origin()
    origin.on("/beacon", lambda e: e.reply(204))
    form = {"forwarded": "x-forwarded"}
    for extra, expected in (("clients: { trusted: [127.0.0.1] }\n", "127.0.0.1, 127.0.0.1"),
                            ("", "127.0.0.1")):
        node = lab.edge(upstreams=[upstream(origin, **form)], name="region", role="regional",
                        extra=extra)
        edge = lab.edge(upstreams=[upstream(node, tier="regional", **form)], name="box")
        with lab.client(edge) as client:
            head = {"Host": "a.example", "X-Forwarded-For": "evil"}
            assert client.request("/beacon", "POST", head, b"x").read("POST").status == 204
        assert origin.requests("/beacon")[-1].headers["X-Forwarded-For"] == expected
        assert origin.requests("/beacon")[-1].headers["X-Forwarded-Host"] == "a.example"
        edge.stop()
        node.stop()
