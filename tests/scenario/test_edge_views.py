"""Views: what players fetch and tell, and what an edge makes of it."""
import http.client
import json
import sqlite3
import urllib.parse

from lab import get, until
from lab_wire import Client

AGENT = {"User-Agent": "Player/1.0 (a television)"}
SEGMENT_S = 4


def counting(lab, settings="", **more):
    """An edge that counts views of vid1 and vid2, with a clock to turn: (origin, edge)."""
    origin = lab.scripted_origin()
    for video in ("vid1", "vid2"):
        origin.put(f"/media/{video}/r1/master.m3u8", b"#EXTM3U\n")
        for number in range(12):
            origin.put(path(number, video), b"x" * 1000)
            origin.put(path(number, video, "v/360p"), b"x" * 400)
        origin.put(f"/media/{video}/r1/a/0/seg-00000.m4s", b"x" * 100)
    edge = lab.edge([origin.url], clock=True, extra=f"views: {{enabled: true, {settings}}}\n",
                    **more)
    edge.noted = 0
    return origin, edge


def fetch(edge, target, *more, **options):
    """One request, which is noted some time after its answer."""
    edge.noted += 1
    return get(edge.url + target, *more, **options)


def forward(edge, seconds):
    """Time passes, once what came before was noted."""
    until(lambda: edge.metric("edge_views_requests_total") == edge.noted, "requests are noted")
    edge.clock.forward(seconds)


def path(number, video="vid1", track="v/720p"):
    return f"/media/{video}/r1/{track}/seg-{number:05}.m4s"


def cmcd(sid):
    return "?CMCD=" + urllib.parse.quote(f'br=3200,d={SEGMENT_S * 1000},sid="{sid}",sf=h')


def play(edge, n, sid=None, headers=AGENT, video="vid1", track="v/720p", begin=0):
    """Fetches n segments in the time that they play."""
    for number in range(begin, begin + n):
        answer = fetch(edge, path(number, video, track) + (cmcd(sid) if sid else ""), headers=headers)
        assert answer.status == 200
        forward(edge, SEGMENT_S)


def beacon(edge, event, sid="s1", video="vid1", headers=AGENT, **more):
    body = json.dumps({"v": 1, "sid": sid, "video": video, "event": event, **more}).encode()
    return get(edge.url + "/beacon", "POST", {"Content-Type": "text/plain;charset=UTF-8", **headers},
               body)


def counted(edge, **expected):
    """All sessions end, and are counted as `expected`: views, and reasons by their name."""
    forward(edge, 3600)
    wanted = {"views": 0, "too-short": 0, "duplicate": 0, "bot": 0, "rate": 0, "no-media": 0,
              **{name.replace("_", "-"): n for name, n in expected.items()}}
    found = {}

    def is_so():
        said = edge.status()["views"]
        found.update(said["uncounted"], views=said["views"], open=said["open"])
        return found == {**wanted, "open": 0}

    try:
        until(is_so, "sessions are counted as they should")
    except AssertionError as error:
        raise AssertionError(f"counted {found}, wanted {wanted}") from error
    said = edge.status()["views"]
    assert said["sessions"] == sum(wanted.values()) and said["dropped"] == 0


def test_a_player_with_a_session_id_counts_once(lab):
    origin, edge = counting(lab)
    fetch(edge, "/media/vid1/r1/master.m3u8" + cmcd("s1"), headers=AGENT)
    play(edge, 4, "s1")
    play(edge, 4, "s1", track="v/360p", begin=4)
    play(edge, 2, "s1", begin=4)
    for number in range(8):
        fetch(edge, path(number), headers={**AGENT, "CMCD-Session": 'sid="s2"'})
        forward(edge, SEGMENT_S)
    fetch(edge, "/media/vid1/r1/a/0/seg-00000.m4s" + cmcd("s1"), headers=AGENT)
    counted(edge, views=1, duplicate=1)
    assert edge.metric("edge_views_total") == edge.metric("edge_views_capped_total") == 1
    assert edge.metric("edge_views_requests_total") == 20


def test_each_session_that_is_no_view_has_a_reason(lab):
    _, edge = counting(lab, "starts: 3")
    play(edge, 2, "short")
    play(edge, 4, headers={"User-Agent": "Googlebot/2.1"})
    play(edge, 4, headers={"User-Agent": "viewer 1"})
    forward(edge, 600)
    play(edge, 4, headers={"User-Agent": "viewer 1"})
    fetch(edge, "/media/vid2/r1/master.m3u8", headers=AGENT)
    for number in range(4):
        fetch(edge, path(number, "vid2"), "HEAD", {"User-Agent": "looks at heads"})
        forward(edge, SEGMENT_S)
    forward(edge, 600)
    for number in range(5):
        fetch(edge, path(0, "vid2"), headers={"User-Agent": f"farm {number}"})
    forward(edge, SEGMENT_S)
    for number in range(1, 4):
        for viewer in range(5):
            fetch(edge, path(number, "vid2"), headers={"User-Agent": f"farm {viewer}"})
        forward(edge, SEGMENT_S)
    counted(edge, views=4, too_short=1, bot=2, duplicate=1, no_media=1, rate=2)


def test_what_was_not_delivered_was_not_watched(lab):
    origin, edge = counting(lab)
    for number in range(6):
        fetch(edge, path(number), headers=AGENT, span=(0, 99))
        fetch(edge, f"/media/vid1/r1/v/720p/seg-9{number:04}.m4s", headers=AGENT)
        forward(edge, SEGMENT_S)
    counted(edge, no_media=1)


def test_whole_ranges_and_what_a_browser_has_count_as_segments(lab):
    _, edge = counting(lab)
    for number in range(2):
        assert fetch(edge, path(number), headers=AGENT, span=(0, None)).status == 206
        forward(edge, SEGMENT_S)
    for number in range(2, 4):
        answer = fetch(edge, path(number), headers={**AGENT, "If-None-Match": '"1"'})
        assert answer.status == 304
        forward(edge, SEGMENT_S)
    counted(edge, views=1)


def test_the_subject_of_a_token_is_a_viewer(lab):
    from test_edge_access import jwt
    origin = lab.scripted_origin()
    for number in range(4):
        origin.put(path(number), b"x" * 1000)
    edge = lab.edge([origin.url], clock=True, extra=(
        "views: {enabled: true}\n"
        "sites: [{hosts: [127.0.0.1], access: {keys: [{id: j1, algorithm: HS256, "
        "secret: %r}]}}]\n" % SECRET))
    edge.noted = 0
    until_s = int(edge.clock.now()) + 100000
    for viewer in ("anna", "ben"):
        token = jwt({"exp": until_s, "sub": viewer}, secret=SECRET)
        for number in range(4):
            answer = fetch(edge, f"{path(number)}?token={token}", headers=AGENT)
            assert answer.status == 200
            forward(edge, SEGMENT_S)
    counted(edge, views=2)
    assert "anna" not in edge.log()


SECRET = "a secret of sixteen bytes or more"


def test_beacons_sharpen_what_was_fetched(lab):
    _, edge = counting(lab)
    for number in range(5):
        for sid in ("s1", "s2"):
            fetch(edge, path(number) + cmcd(sid), headers={"User-Agent": sid})
    for sid, watched in (("s1", 4000), ("s2", 11000)):
        headers = {"User-Agent": sid}
        answer = beacon(edge, "start", sid, headers=headers, startup_ms=350, source="feed", watch_ms=0)
        assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == "*"
    forward(edge, 12)
    for sid, watched in (("s1", 4000), ("s2", 11000)):
        beacon(edge, "progress", sid, headers={"User-Agent": sid}, watch_ms=watched,
               duration_ms=180000, stalls=1, stall_ms=400)
    counted(edge, views=1, too_short=1)
    assert edge.metric("edge_views_beacons_total") == 4


def test_what_is_no_beacon_is_refused(lab):
    origin, edge = counting(lab, "beacon_rate: 2", workers=1)
    assert beacon(edge, "start", sid="").status == 400
    answer = get(edge.url + "/beacon", "POST", AGENT, b"{")
    assert answer.status == 400 and "problem" in answer.headers["Content-Type"]
    assert get(edge.url + "/beacon", "POST", AGENT, b" " * 4097).status == 413
    with Client(edge.port) as client:  # at once, before the content comes
        client.request("/beacon", "POST", [("Host", "a"), ("Content-Length", "1000000000")])
        assert client.read_head().status == 413
    assert get(edge.url + "/beacon", headers=AGENT).status == 405
    asks = {**AGENT, "Origin": "https://page.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type"}
    answer = get(edge.url + "/beacon", "OPTIONS", asks)
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Methods"] == "POST"
    answers = [beacon(edge, "progress").status for _ in range(30)]
    assert answers[-1] == 429 and answers.count(204) <= 12
    forward(edge, 60)
    assert beacon(edge, "progress").status == 204
    assert edge.metric("edge_views_beacons_refused_total") >= 19
    assert origin.count() == 0


def test_a_flood_of_session_ids_is_bounded(lab):
    _, edge = counting(lab, "sessions: 50, starts: 0")
    with lab.client(edge) as client:
        for number in range(400):
            client.request(path(0) + cmcd(f"s{number}"), headers=AGENT.items())
            edge.noted += 1
            assert client.read().status == 200
    until(lambda: edge.status()["views"]["sessions"] == 400, "all are seen")
    assert edge.status()["views"]["open"] == 50
    assert edge.metric("edge_views_evicted_total") == 350
    counted(edge, too_short=400)


def test_days_without_an_origin_are_counted_as_others(lab):
    origin, edge = counting(lab)
    play(edge, 4, "day-0")
    origin.stop()
    for day in range(1, 31):
        forward(edge, 86400)
        play(edge, 4, f"day-{day}")
    counted(edge, views=31)


def test_a_process_that_takes_over_counts_on(lab):
    _, edge = counting(lab)
    play(edge, 4, "s1")
    play(edge, 2, "s2", headers={"User-Agent": "another"})
    assert edge.restart().status == 200
    edge.await_former()
    edge.noted = 0
    play(edge, 4, "s3", headers={"User-Agent": "a third"})
    counted(edge, views=1)


def spooling(lab):
    """An edge whose reports wait, for nobody takes them."""
    origin, edge = counting(lab)
    edge.stop()
    edge.config_path.write_text(edge.config_path.read_text() + (
        "state: state\nreports: {to: [{url: 'http://127.0.0.1:9'}]}\n"))
    return edge.start()


def spooled(edge):
    """(views, sessions, milliseconds watched) of vid1 in the spool."""
    def number(rest):
        value = shift = 0
        while True:
            byte = rest.pop(0)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    sums = [0] * 29
    with sqlite3.connect(edge.dir / "state" / "reports.db") as db:
        for (counts,) in db.execute("SELECT counts FROM pending WHERE video = 'vid1'"):
            rest = list(counts)
            which = number(rest)
            for column in range(len(sums)):
                sums[column] += number(rest) if which >> column & 1 else 0
    return sums[0], sums[2], sums[3]


def test_what_is_in_memory_is_in_the_spool_when_a_node_stops(lab):
    edge = spooling(lab)
    play(edge, 4, "s1")
    play(edge, 1, "s2", headers={"User-Agent": "another"})
    edge.stop()
    assert spooled(edge) == (1, 2, 16000)


def test_what_is_in_memory_is_in_the_spool_when_another_process_takes_over(lab):
    edge = spooling(lab)
    play(edge, 4, "s1")
    assert edge.restart().status == 200
    edge.await_former()
    edge.noted = 0
    assert spooled(edge) == (1, 1, 16000)
    play(edge, 1, "s2", headers={"User-Agent": "another"})
    edge.stop()
    assert spooled(edge) == (1, 2, 16000)


def test_a_node_that_is_killed_loses_no_minute_that_is_over(lab):
    edge = spooling(lab)
    play(edge, 4, "s1")
    forward(edge, 120)
    until(lambda: spooled(edge) == (1, 1, 16000), "the minute is in the spool")
    play(edge, 4, "s2", headers={"User-Agent": "another"})
    edge.kill()
    assert spooled(edge)[0] >= 1


def test_nothing_of_the_viewer_is_written_anywhere(lab):
    edge = spooling(lab)
    for number in range(4):
        client = http.client.HTTPConnection("127.0.0.1", edge.port, source_address=("127.7.7.7", 0))
        edge.noted += 1
        client.request("GET", path(number) + cmcd("a-session-id"), headers={"User-Agent": "an-agent"})
        assert client.getresponse().read()
        client.close()
        forward(edge, SEGMENT_S)
    beacon(edge, "end", "a-session-id", headers={"User-Agent": "an-agent"})
    counted(edge, views=1)
    edge.stop()
    files = [file for file in edge.dir.rglob("*") if file.is_file()]
    assert edge.log_path in files and edge.dir / "state" / "reports.db" in files
    for file in files:
        text = file.read_bytes()
        assert not any(word in text for word in (b"127.7.7", b"an-agent", b"a-session-id")), file


def test_without_views_nothing_is_noted_and_beacons_are_the_upstreams(lab):
    origin = lab.scripted_origin()
    origin.put(path(0), b"x" * 1000)
    edge = lab.edge([origin.url])
    get(edge.url + path(0) + cmcd("s1"), headers=AGENT)
    beacon(edge, "start")
    assert "views" not in edge.status()
    assert origin.count("/beacon") == 1
    assert b"edge_views" not in get(edge.admin + "/metrics").body
