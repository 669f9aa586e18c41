"""What one client sends must not change what the next one gets: the known tricks, one each.

The origin here is as gullible as can be: what it answers, it says may be kept, whatever the
request was like, and it repeats all that it was told.
"""
import pytest
from lab import get
from lab_h2 import HEADERS, RST_STREAM, Frames

VICTIM = "127.0.0.1"
RULES = """\
- match: { suffix: [.m3u8] }
  class: manifest
- match: { suffix: [.m4s] }
  class: segment
"""


def gullible(lab, fields=("Cache-Control", "max-age=600"), refuses=None):
    """An edge over an origin that repeats the request, and refuses what has a field
    `refuses` with a 400 that it says may be kept: (edge, origin)."""
    origin = lab.scripted_origin()

    def repeat(exchange):
        request = exchange.request
        told = "\n".join([request.method, request.target, *(f"{n}: {v}" for n, v in request.headers)])
        bad = refuses is not None and refuses(request)
        exchange.reply(400 if bad else 200, told.encode("latin-1") + request.body, [fields])

    for path in ("/page", "/a.m3u8", "/a.m4s", "/p%2e", "/b.m4s"):
        origin.on(path, repeat)
    return lab.edge(upstreams=[origin.url], rules=RULES), origin


def raw(lab, edge, text, method="GET"):
    """Sends `text` as it is; the answer, or None if there was none."""
    with lab.client(edge) as client:
        client.send(text)
        return client.read(method)


CLAIMS = ["X-Forwarded-Host", "X-Forwarded-Scheme", "X-Forwarded-Proto", "X-Forwarded-Port",
          "X-Forwarded-Prefix", "X-Forwarded-For", "X-Forwarded-Server", "X_Forwarded_Host",
          "X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "Forwarded", "X-Host",
          "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Real-IP", "Proxy"]


@pytest.mark.parametrize("path", ["/page", "/a.m3u8", "/a.m4s"])
def test_no_claim_about_the_request_reaches_what_is_shared(lab, path):
    edge, origin = gullible(lab)
    with lab.client(edge) as client:
        client.request(path, headers=[(name, "evil") for name in CLAIMS])
        assert b"evil" not in client.read().body
    answer = get(edge.url + path)
    assert b"evil" not in answer.body and answer.status == 200
    assert origin.count() == 1


@pytest.mark.parametrize("path", ["/a.m3u8", "/a.m4s"])
def test_media_is_asked_for_with_no_field_that_it_has_no_use_for(lab, path):
    edge, _ = gullible(lab)
    get(edge.url + path, headers={"X-Anything": "evil", "Cookie": "evil", "User-Agent": "evil",
                                  "Referer": "http://evil/", "Content-Type": "evil"})
    assert b"evil" not in get(edge.url + path).body


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1:80", 200), ("EVIL.example", 200), ("127.0.0.1.", 200), ("evil.example:1234", 200),
    ("user@127.0.0.1", 400), ("127.0.0.1/evil", 400), ("127.0.0.1 evil", 400),
    ("127.0.0.1:evil", 400), ("127.0.0.1?evil", 400), ("127.0.0.1#evil", 400), ("", 400),
    ("127.0.0.1,evil", 400), ("127.0.0.1\tevil", 400), ("%65vil", 400), ("127.0.0.1;evil", 400),
    ("127.0.0.1%00", 400), ("127.0.0.1..", 400), (".127.0.0.1", 400), (".", 400), ("evil..", 400),
    ("evil.example.", 200), ("_evil.example", 200), ("xn--evil.example", 200), ("[::1]:80", 200),
])
def test_another_host_is_another_thing_or_none(lab, host, status):
    edge, _ = gullible(lab)
    answer = raw(lab, edge, f"GET /page HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert answer.status == status
    answer = get(edge.url + "/page", headers={"Host": VICTIM})
    assert answer.status == 200 and b"evil" not in answer.body.lower()


GUARDED = """\
sites:
  - hosts: [a.example]
    access:
      keys: [{id: k, secret: 0123456789abcdef0123456789abcdef}]
"""
OTHER_SPELLINGS = ["a.example.", "A.EXAMPLE", "a.example:80", "a.example:", "a.example.:8080", "a.example..",
                   "a.example..:80", ".a.example", "..a.example", "a..example", "a.example%00", "a.example%2e",
                   "%61.example", "a.example,b", "a.example;", "a.example&", "a.example'", "a.example*", "[a.example]"]


@pytest.fixture(scope="module")
def guarded(module_lab):
    """An edge whose a.example wants tokens, over an origin that knows it in any spelling."""
    origin = module_lab.scripted_origin()
    origin.on_any(lambda e: e.reply(200, b"for who has a token", {"Cache-Control": "max-age=60"}))
    return module_lab.edge(upstreams=[origin.url], extra=GUARDED), origin


@pytest.mark.parametrize("host", OTHER_SPELLINGS)
def test_no_spelling_of_a_host_gets_past_its_site(module_lab, guarded, host):
    edge, origin = guarded
    before = origin.count()
    for text in (f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n",
                 f"GET http://{host}/x HTTP/1.1\r\nHost: b.example\r\n\r\n",
                 f"GET /x HTTP/1.0\r\nHost: {host}\r\n\r\n"):
        assert raw(module_lab, edge, text).status in (400, 403), text
    with Frames(edge.port) as peer:
        peer.get(1, "/x", **{":authority": host})
        ended = peer.read_until(lambda got: got.stream == 1)[-1]
    assert ended.type in (HEADERS, RST_STREAM)
    assert origin.count() == before


def test_another_host_is_not_of_that_site(guarded):
    edge, _ = guarded
    for host in "b.example", "b.a.example", "a_example":
        assert get(edge.url + "/x", headers={"Host": host}).status == 200


def test_two_hosts_are_refused(lab):
    edge, origin = gullible(lab)
    answer = raw(lab, edge, "GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n")
    assert answer.status == 400 and origin.count() == 0


def test_the_authority_of_the_target_wins_over_host(lab):
    edge, _ = gullible(lab)
    answer = raw(lab, edge, "GET http://evil.example/page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert answer.status in (200, 400)
    assert b"evil" not in get(edge.url + "/page", headers={"Host": VICTIM}).body
    answer = raw(lab, edge, "GET http://127.0.0.1/a.m4s HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert b"evil" not in answer.body
    assert b"evil" not in get(edge.url + "/a.m4s", headers={"Host": VICTIM}).body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_content_of_a_get_does_not_reach_what_is_shared(lab, method):
    edge, _ = gullible(lab)
    raw(lab, edge, f"{method} /page HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\nevil",
        method)
    assert b"evil" not in get(edge.url + "/page", headers={"Host": VICTIM}).body


def test_the_answer_to_another_method_is_not_kept(lab):
    edge, origin = gullible(lab)
    for method in ("POST", "PUT", "OPTIONS", "DELETE", "PATCH"):
        get(edge.url + "/page", method)
    answer = get(edge.url + "/page")
    assert answer.body.startswith(b"GET") and origin.count() == 6


@pytest.mark.parametrize("name, value", [
    ("X-Oversized", "x" * 12000), ("X-Metachar", "\x80"), ("X-Anything", "evil"),
    ("Accept", "evil"), ("Accept-Encoding", "evil;q=9;;"), ("Accept-Encoding", "gzip;q=banana"),
    ("Range", "bytes=evil"), ("Range", "bytes=" + "0-," * 200 + "0-"), ("Content-Type", "evil"),
    ("Cookie", "evil=" + "x" * 9000), ("If-None-Match", "evil"), ("Expect", "100-continue"),
    ("Transfer-Encoding", "chunked"), ("Content-Encoding", "evil"), ("Via", "1.1 evil"),
    ("Authorization", "evil"), ("Origin", "evil"), ("Upgrade", "evil"), ("TE", "evil"),
])
@pytest.mark.parametrize("path", ["/page", "/a.m4s"])
def test_an_error_that_one_request_provoked_is_not_kept_for_others(lab, path, name, value):
    def refuses(request):
        got = request.headers.get(name)
        return got is not None and got != "1.1 box-1" and got not in ("gzip", "br, gzip")

    edge, _ = gullible(lab, refuses=refuses)
    body = b"0\r\n\r\n" if name == "Transfer-Encoding" else b""
    with lab.client(edge) as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{name}: {value}\r\n\r\n"
                    .encode("latin-1") + body)
        client.read()
    answer = get(edge.url + path, headers={"Host": VICTIM})
    assert answer.status == 200, answer.headers


def test_a_suffix_makes_no_page_a_segment(lab):
    origin = lab.scripted_origin()
    origin.on("/account/a.m4s", lambda exchange: exchange.reply(
        200, exchange.request.headers.get("Cookie", "nobody").encode(),
        [("Content-Type", "text/html")]))
    edge = lab.edge(upstreams=[origin.url], rules=RULES)
    get(edge.url + "/account/a.m4s", headers={"Cookie": "mine"})
    assert get(edge.url + "/account/a.m4s").body == b"nobody"


@pytest.mark.parametrize("target", ["/x/../page", "/./page", "/%70age", "//page", "/page;evil",
                                    "/page%00", "/page%0d%0aevil:1", "/page\\evil", "/page#evil"])
def test_another_spelling_of_a_path_is_the_same_thing_or_another(lab, target):
    edge, origin = gullible(lab)
    answer = raw(lab, edge, f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert answer.status in (200, 400, 404)
    assert all(request.target in ("/page", "//page", "/page;evil") for request in origin.requests())
    assert b"evil" not in get(edge.url + "/page", headers={"Host": VICTIM}).body


@pytest.mark.parametrize("vary, size", [(["X-A"] * 300, 7000), (["X-A", "X-B"], 5000)])
def test_a_list_of_fields_to_vary_by_does_not_multiply_what_a_client_sends(lab, vary, size):
    origin = lab.scripted_origin()
    fields = {"Cache-Control": "max-age=600", "Vary": ",".join(vary)}
    origin.on("/page", lambda exchange: exchange.reply(200, b"x", fields))
    edge = lab.edge(upstreams=[origin.url], rules=RULES)
    for _ in range(2):
        answer = get(edge.url + "/page", headers={name: "a" * size for name in vary})
        assert answer.body == b"x" and "hit" not in answer.headers["Cache-Status"]
    assert origin.count("/page") == 2
