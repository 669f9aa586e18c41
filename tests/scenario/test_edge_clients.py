"""What one client may use: connections, requests, and how slowly it may read."""
import contextlib
import json
import re
import subprocess

import pytest
from lab import BUILD, Client, Cut, until


class From(Client):
    """A connection from another address of the loopback network."""

    def __init__(self, port, source):
        super().__init__(port, source=source)


def cached(lab, extra):
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", b"x" * 1000)
    edge = lab.edge(upstreams=[origin.url], extra=extra)
    return origin, edge


def ask(client, target="/v/1.m4s"):
    client.request(target)
    return client.read()


def is_closed(client):
    try:
        client.request("/v/1.m4s")
        client.read()
    except (Cut, OSError):
        return True
    return False


def test_a_client_over_its_connections_is_closed_and_others_are_not(lab):
    _, edge = cached(lab, "clients: {connections: 3}\n")
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(From(edge.port, "127.0.0.2")) for _ in range(3)]
        assert all(ask(client).status == 200 for client in mine)
        assert is_closed(stack.enter_context(From(edge.port, "127.0.0.2")))
        assert ask(stack.enter_context(From(edge.port, "127.0.0.3"))).status == 200
        until(lambda: edge.metric(
            'http_client_connections_refused_total{server="forebay-edge"}') == 1, "it is counted")
        mine[0].close()
        until(lambda: not is_closed(stack.enter_context(From(edge.port, "127.0.0.2"))),
              "there is room for another one")


def test_a_client_over_its_rate_is_told_when_to_come_back(lab):
    _, edge = cached(lab, "clients: {requests: 1, burst: 5}\n")
    with From(edge.port, "127.0.0.2") as client, From(edge.port, "127.0.0.2") as second:
        assert [ask(client).status for _ in range(4)] + [ask(second).status] == [200] * 5
        answer = until(lambda: (a := ask(second)).status == 429 and a, "the burst is used up")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] == "/problems/client-rate"
        assert answer.headers["RateLimit-Policy"] == '"client";q=5;w=5'
        assert re.fullmatch(r'"client";r=0;t=[12]', answer.headers["RateLimit"])
        assert answer.headers["Retry-After"] in ("1", "2")
        assert answer.headers["Cache-Control"] == "no-store"
        until(lambda: ask(client).status == 200, "a token came")
    with From(edge.port, "127.0.0.3") as other:
        assert ask(other).status == 200
    until(lambda: edge.metric('http_refused_total{cause="rate",server="forebay-edge"}') >= 1,
          "it is counted")


def test_a_page_learns_that_it_is_over_its_rate_and_the_log_too(lab):
    log, secret = lab.dir / "access.log", lab.dir / "k1.secret"
    secret.write_text("0123456789abcdef0123456789abcdef\n")
    secret.chmod(0o600)
    _, edge = cached(lab, "clients: {requests: 1, burst: 1}\nlimits: {body: 9}\n"
                     f"access_log: {{format: json, path: {log}}}\n"
                     "sites:\n  - hosts: [film.example]\n"
                     "    cors: {origins: [https://player.example]}\n"
                     f"    access: {{keys: [{{id: k1, secret_file: {secret}}}], parameter: pass}}\n")
    page = {"Host": "film.example", "Origin": "https://player.example"}

    def tell(client, target, **request):
        client.request(target, headers=page, **request)
        return client.read()

    with From(edge.port, "127.0.0.2") as client:
        answer = until(lambda: (a := tell(client, "/v/1.m4s?pass=hush")).status == 429 and a,
                       "the burst is used up")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://player.example"
    assert answer.headers["Vary"] == "Origin"
    with From(edge.port, "127.0.0.3") as client:
        answer = tell(client, "/v/1.m4s", method="POST", body=b"0123456789")
    assert answer.status == 413
    assert answer.headers["Access-Control-Allow-Origin"] == "https://player.example"
    with From(edge.port, "127.0.0.4") as client:
        client.send(b"no request at all\r\n\r\n")
        assert client.read().status == 400

    def told():
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return {line["status"]: line for line in lines}

    lines = until(lambda: {429, 413, 400} <= (found := told()).keys() and found, "they are logged")
    assert lines[429]["site"] == "film.example" and lines[429]["result"] == "error"
    assert lines[429]["target"] == "/v/1.m4s" and "hush" not in log.read_text()
    assert lines[413]["method"] == "POST" and lines[413]["complete"] is True
    assert lines[400]["method"] == "" and lines[400]["target"] == ""


def test_a_whole_network_may_be_one_client(lab):
    _, edge = cached(lab, "clients: {requests: 1, burst: 2, prefix_v4: 24}\n")
    with From(edge.port, "127.0.0.2") as first, From(edge.port, "127.0.0.3") as second:
        assert [ask(first).status, ask(second).status] == [200, 200]
        until(lambda: 429 in [ask(first).status, ask(second).status], "they share a bound")
    with From(edge.port, "127.0.1.2") as other:
        assert ask(other).status == 200


def test_nothing_of_this_holds_for_a_network_that_is_trusted(lab):
    _, edge = cached(lab, "clients: {connections: 1, requests: 1, trusted: [127.0.2.0/24]}\n")
    with From(edge.port, "127.0.2.1") as first, From(edge.port, "127.0.2.1") as second:
        assert all(ask(client).status == 200 for client in [first, second] * 5)


def test_without_a_word_of_it_no_client_is_bounded(lab):
    _, edge = cached(lab, "")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(From(edge.port, "127.0.0.2")) for _ in range(100)]
        assert all(ask(client).status == 200 for client in clients for _ in range(3))


@pytest.mark.parametrize("wrong, sentence", [
    ("burst: 5", "'burst' without 'requests' bounds nothing"),
    ("trusted: [10.0.0.1/8]", "has bits set behind its length"),
    ("trusted: [localhost]", "is no network"),
])
def test_a_bound_that_means_nothing_is_refused(lab, wrong, sentence):
    path = lab.dir / "edge.yaml"
    path.write_text("node: n\nlisten: [{address: '127.0.0.1:0'}]\n"
                    "upstreams: [{url: 'http://127.0.0.1:1'}]\n" f"clients: {{{wrong}}}\n")
    done = subprocess.run([str(BUILD / "forebay-edge"), "--config", str(path), "--check"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and sentence in done.stderr
