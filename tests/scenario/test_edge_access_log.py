"""The access log: what a line says, and what it does not."""
import json
import subprocess

from lab import BUILD, get, until


def logged(lab, settings):
    """An edge that logs to a file: (origin, edge, path of the file)."""
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", b"x" * 1000)
    path = lab.dir / "access.log"
    edge = lab.edge(upstreams=[origin.url],
                    extra=f"access_log: {{path: {path}, {settings}}}\n")
    return origin, edge, path


def lines(path, n, skip="#"):
    def found():
        text = path.read_text() if path.exists() else ""
        whole = [line for line in text.splitlines() if not line.startswith(skip)]
        return text.endswith("\n") and len(whole) >= n and whole

    got = until(found, f"{n} lines are in {path.name}")
    assert len(got) == n
    return got


def test_a_line_tells_how_the_request_went(lab):
    _, edge, path = logged(lab, "format: json")
    get(edge.url + "/v/1.m4s")
    get(edge.url + "/v/1.m4s", headers={"Range": "bytes=0-99"})
    get(edge.url + "/v/none")
    by_status = {line["status"]: line for line in map(json.loads, lines(path, 3))}
    assert by_status[200]["result"] == "miss" and by_status[200]["forward"] == "uri-miss"
    assert by_status[200]["upstream_status"] == 200 and by_status[200]["bytes"] == 1000
    assert by_status[200]["tier"] == by_status[404]["tier"] == "origin"
    assert "tier" not in by_status[206]
    assert by_status[206]["result"] == "hit" and by_status[206]["bytes"] == 100
    assert by_status[404]["target"] == "/v/none" and by_status[404]["complete"] is True
    assert not any("client" in line for line in by_status.values())
    assert edge.log().count('"access"') == 0
    until(lambda: edge.metric("edge_access_log_lines_total") == 3, "the lines are counted")


def test_a_line_in_columns_has_what_the_player_says_of_itself(lab):
    _, edge, path = logged(lab, "format: w3c, cmcd: true, client: network")
    get(edge.url + "/v/1.m4s?CMCD=br%3D3200%2Cbl%3D2100%2Csid%3D%22a%20b%22%2Cbs&n=1")
    get(edge.url + "/v/1.m4s", headers={"CMCD-Session": 'sid="header"'})
    found = lines(path, 2)
    head = next(line for line in path.read_text().splitlines() if line.startswith("#Fields: "))
    names = head.split()[1:]
    by_query = {line.split()[6]: line for line in found}
    row = dict(zip(names, by_query["n=1"].replace('"a b"', '"a_b"').split()))
    assert row["c-ip"] == "127.0.0.0" and row["cs-uri-stem"] == "/v/1.m4s"
    assert row["sc-status"] == "200" and row["sc-bytes"] == "1000"
    assert row["cs(CMCD-Object)"] == '"br=3200"' and row["cs(CMCD-Request)"] == '"bl=2100"'
    assert row["cs(CMCD-Session)"] == '"sid=""a_b"""' and row["cs(CMCD-Status)"] == '"bs"'
    row = dict(zip(names, by_query["-"].split()))
    assert row["cs(CMCD-Session)"] == '"sid=""header"""' and row["cs(CMCD-Object)"] == "-"


def test_no_secret_and_nothing_of_the_viewer_is_logged(lab):
    origin, edge, path = logged(lab, "format: json, hide: [token, ticket]")
    origin.put("/v/1.m4s?token=secret1&Ticket=secret2&a=1", b"x")
    get(edge.url + "/v/1.m4s?token=secret1&Ticket=secret2&a=1&CMCD=sid%3D%22secret3%22",
        headers={"Authorization": "Bearer secret4", "Cookie": "secret5", "User-Agent": "secret6",
                 "Referer": "http://secret7/"})
    line = json.loads(lines(path, 1)[0])
    assert line["target"] == "/v/1.m4s?token=-&Ticket=-&a=1"
    assert "secret" not in path.read_text() + edge.log()


def test_a_request_cannot_write_a_line_of_its_own(lab):
    _, edge, path = logged(lab, "format: json")
    with lab.client(edge) as client:
        client.send('GET /v/%0a{"status":1}"\\x?\x7f\x9b{"a":"\xff\t"} HTTP/1.1\r\n'
                    "Host: 127.0.0.1\r\n\r\n".replace("\t", ""))
        client.read()
    get(edge.url + "/v/1.m4s")
    text = until(lambda: '"/v/1.m4s"' in (text := path.read_text()) and text.endswith("\n") and text,
                 "the second request is logged")
    targets = [json.loads(line)["target"] for line in text.splitlines()]
    assert "/v/1.m4s" in targets and all(not t or t == "/v/1.m4s" for t in targets)
    raw = path.read_bytes()
    assert all(byte >= 0x20 or byte == 0x0a for byte in raw) and b"\x7f" not in raw


def test_who_cut_the_connection_is_logged_too(lab):
    origin, edge, path = logged(lab, "format: json, client: full")
    go = lab.event()

    def half(exchange):
        exchange.head(200, {"Content-Length": 2000, "Cache-Control": "max-age=60"})
        exchange.send(b"x" * 1000)
        exchange.wait(go)
        exchange.send(b"x" * 1000)  # whoever ended both ways in order is noticed at a write

    origin.on("/v/half", half)
    with lab.client(edge) as client:
        client.request("/v/half")
        client.read_head()
        client.read_some(1)
        client.cut()
    go.set()
    line = json.loads(lines(path, 1)[0])
    assert line["complete"] is False and line["client"] == "127.0.0.1"


def test_an_access_log_that_cannot_be_written_keeps_the_node_from_starting(lab):
    config = lab.dir / "edge.yaml"
    config.write_text("node: n\nlisten: [{address: '127.0.0.1:0'}]\n"
                      "upstreams: [{url: 'http://127.0.0.1:1'}]\n"
                      f"access_log: {{format: json, path: {lab.dir}/none/access.log}}\n")
    done = subprocess.run([str(BUILD / "forebay-edge"), "--config", str(config)],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "open the access log" in done.stderr


def test_a_sample_is_a_part_of_the_requests(lab):
    _, edge, path = logged(lab, "format: json, sample: 4")
    with lab.client(edge) as client:
        for _ in range(400):
            client.request("/v/1.m4s")
            client.read()
    edge.stop()
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert 40 < len(found) < 180 and all(line["sample"] == 4 for line in found)
