"""Who may see a video, and where; and what goes when it is deleted."""
import http.server
import json
import re
import sqlite3
import subprocess
import threading
import urllib.parse

from catalogue import CONFIG, Catalogue, slug
from lab import get, until
from lab_tls import entry
from lab_wire import call, free_port

ADMIN = "root@example.org"
RULES = CONFIG + f"admins: [{ADMIN}]\n"
MEDIA = [("v/360p/seg-00001.m4s", b"segment" * 100), ("v/360p/init.mp4", b"init"), ("v/360p/index.sidx", b"index")]
WHOLE = "v/360p/whole.mp4"  # of these three
WRITER = """
use MaxMind::DB::Writer::Tree;
my ($path, %nets) = @ARGV;
my $tree = MaxMind::DB::Writer::Tree->new(ip_version => 6, record_size => 24, database_type => 'Test',
    languages => ['en'], description => { en => 'a test' }, alias_ipv6_to_ipv4 => 1,
    remove_reserved_networks => 0,
    map_key_type_callback => sub { { country => 'map', iso_code => 'utf8_string' }->{ $_[0] } });
$tree->insert_network($_, { country => { iso_code => $nets{$_} } }) for sort keys %nets;
open my $file, '>:raw', "$path.new" or die; $tree->write_tree($file); close $file;
rename "$path.new", $path or die;
"""


def start(lab, extra="", **options):
    return Catalogue(lab.origin(workers=0, extra=RULES + extra, **options))


def privacy(person, video, **what):
    answer = person.ask("PATCH", f"videos/{video}", what)
    assert answer.status == 200, answer.body
    return answer.json()


def manifest(catalogue, video, person=None, headers=()):
    return call("GET", f"{catalogue.api}/videos/{video}/manifest", None, person and person.token,
                list(headers))


# ---- privacy -------------------------------------------------------------------


def listed(catalogue, person=None):
    """The ids that lists show: of everybody's, of search, feed and what the person liked."""
    token = person and person.token
    shown = set()
    for path in ("videos", "search?q=wolpertinger", "feed", *(["me/likes", "feed/following"] if person else [])):
        answer = call("GET", f"{catalogue.api}/{path}", None, token)
        assert answer.status == 200, answer.body
        shown |= {item["id"] for item in answer.json()["videos"]}
    return shown


def test_unlisted_videos_are_seen_by_whoever_has_the_id_and_shown_by_no_list(lab):
    catalogue = start(lab)
    ada, bob = catalogue.person("ada@example.org"), catalogue.person("bob@example.org")
    video = catalogue.publish(ada, "A wolpertinger", privacy="unlisted")
    assert bob.put(f"users/{ada.id}/follow").status == 200
    assert bob.put(f"videos/{video}/like").status == 200
    assert listed(catalogue, bob) == set() and listed(catalogue) == set()
    assert [item["id"] for item in ada.get("videos?owner=me").json()["videos"]] == [video]
    assert catalogue.about(video)["privacy"] == "unlisted"
    assert manifest(catalogue, video).status == 302
    assert get(f"{catalogue.api}/videos/{video}/comments").status == 200
    privacy(ada, video, privacy="public")
    assert video in listed(catalogue, bob)
    privacy(ada, video, privacy="unlisted")
    assert listed(catalogue, bob) == set()


def test_private_videos_are_there_for_their_owner_and_admins_alone(lab):
    catalogue = start(lab)
    ada, bob, root = (catalogue.person(f"{name}@example.org") for name in ("ada", "bob", "root"))
    video = catalogue.publish(ada, "A wolpertinger", media=MEDIA, privacy="private")
    ways = [("GET", ""), ("GET", "/status"), ("GET", "/manifest"), ("GET", "/comments"),
            ("PUT", "/like"), ("PUT", "/save"), ("GET", "/ranking")]
    for method, path in ways:
        answer = bob.ask(method, f"videos/{video}{path}")
        assert answer.status == 404, (method, path, answer.body)
    for path in ("", "/status", "/manifest", "/comments"):
        assert get(f"{catalogue.api}/videos/{video}{path}").status == 404, path
    assert bob.ask("PATCH", f"videos/{video}", {"privacy": "public"}).status == 404
    assert bob.delete(f"videos/{video}").status == 404
    assert listed(catalogue, bob) == listed(catalogue) == set()
    for person in (ada, root):
        assert person.get(f"videos/{video}").json()["privacy"] == "private"
        assert person.get(f"videos/{video}/status").json()["status"] == "ready"
        assert manifest(catalogue, video, person).status == 302
    assert ada.put(f"videos/{video}/like").status == 200
    assert listed(catalogue, ada) == set()


def test_comments_on_a_video_that_became_private_are_hidden_with_it(lab):
    catalogue = start(lab)
    ada, bob, eve = (catalogue.person(f"{name}@example.org") for name in ("ada", "bob", "eve"))
    video = catalogue.publish(ada)
    comment = bob.post(f"videos/{video}/comments", {"text": "Well"}).json()["id"]
    assert eve.delete(f"comments/{comment}").status == 403
    privacy(ada, video, privacy="private")
    assert eve.delete(f"comments/{comment}").status == 404
    assert bob.delete(f"comments/{comment}").status == 204


def test_media_of_private_videos_wants_a_pass(lab):
    catalogue = start(lab)
    ada = catalogue.person("ada@example.org")
    video = catalogue.publish(ada, media=MEDIA, privacy="private")
    other = catalogue.publish(ada, media=MEDIA, privacy="private")
    url = manifest(catalogue, video, ada).headers["Location"]
    assert url == manifest(catalogue, video, ada).headers["Location"], "the same for a while"
    head, _, tail = url.partition(f"/media/{video}/")
    assert re.search(r"/kid=origin~exp=\d+~path=%2Fmedia%2F\w+%2F~hmac=[0-9a-f]{64}$", head), head
    assert get(url).body.startswith(b"#EXTM3U")
    assert get(url).headers["Cache-Control"] == "private, max-age=0"
    segment = url.replace("master.m3u8", MEDIA[0][0])
    answer = get(segment)
    assert answer.body == MEDIA[0][1]
    assert re.fullmatch(r"private, max-age=[1-9]\d+", answer.headers["Cache-Control"])
    whole = get(url.replace("master.m3u8", WHOLE), span=(2, 12))
    assert whole.body == b"itindexsegm" and whole.headers["Cache-Control"].startswith("private, max-age=")
    bare = f"{catalogue.origin.url}/media/{video}/{catalogue.version}/"
    for bad in (bare + "master.m3u8", bare + MEDIA[0][0], bare + WHOLE, url.replace(video, other),
                head[:-1] + ("1" if head[-1] == "0" else "0") + f"/media/{video}/{tail}", head + f"/media/{other}/{tail}",
                url.replace("kid=origin", "kid=other"), url.replace("~exp=", "~exp=9")):
        assert get(bad).status == 404, bad
    poster = ada.get(f"videos/{video}").json()["poster_url"]
    assert "hmac=" in poster and "hmac=" not in ada.get("videos").json().get("poster_url", "")
    privacy(ada, video, privacy="public")
    assert get(bare + "master.m3u8").headers["Cache-Control"] == "public, max-age=2"
    assert "hmac" not in manifest(catalogue, video).headers["Location"]


def test_edges_that_know_the_key_verify_passes_and_share_what_they_keep(lab):
    secret = lab.dir / "k1.secret"
    secret.write_text("a secret of sixteen bytes or more\n")
    secret.chmod(0o600)
    playback = (f"playback: {{keys: [{{id: k1, secret_file: {secret}}}], tiers: [127.0.0.1], "
                "pass_all: true}\n")
    catalogue = start(lab, playback)
    edge = lab.edge([catalogue.origin.url], extra=(
        "sites:\n  - hosts: ['*']\n    access:\n      in_path: true\n"
        f"      keys: [{{id: k1, secret_file: {secret}}}]\n"))
    ada = catalogue.person("ada@example.org")
    for kind in ("private", "public"):
        video = catalogue.publish(ada, media=MEDIA, privacy=kind)
        path = urllib.parse.urlsplit(manifest(catalogue, video, ada).headers["Location"]).path
        at = edge.url + path.replace("master.m3u8", MEDIA[0][0])
        assert get(at).body == MEDIA[0][1]
        assert get(edge.url + path.replace("master.m3u8", WHOLE)).body == b"initindex" + MEDIA[0][1]
        assert "hit" in get(at).headers["Cache-Status"], "no pass is part of the key"
        bare = f"{edge.url}/media/{video}/{catalogue.version}/{MEDIA[0][0]}"
        assert get(bare).status == get(bare.replace(MEDIA[0][0], WHOLE)).status == 403


def test_who_is_wrong_about_access_is_told(lab):
    catalogue = start(lab)
    ada = catalogue.person("ada@example.org")
    video = catalogue.publish(ada)
    for wrong in ({"privacy": "secret"}, {"privacy": 7}, {"countries": "DE"}, {"countries": {"allow": []}},
                  {"countries": {"allow": ["de"]}}, {"countries": {"allow": ["DE"], "deny": ["FR"]}},
                  {"countries": {"deny": ["DEU"]}}):
        answer = ada.ask("PATCH", f"videos/{video}", wrong)
        assert answer.status == 422 and slug(answer) == "bad-field", wrong
        made = ada.post("videos", {"title": "x", "filename": "x", "size": 1, **wrong})
        assert made.status == 422, wrong
    assert call("PATCH", f"{catalogue.api}/videos/{video}", {"privacy": "private"}).status == 401
    assert privacy(ada, video, countries={"deny": ["FR", "DE"]})["countries"] == {"deny": ["FR", "DE"]}
    assert privacy(ada, video, privacy="unlisted")["countries"] == {"deny": ["FR", "DE"]}
    assert privacy(ada, video, countries=None)["countries"] is None


# ---- countries ------------------------------------------------------------------


def write_countries(path, **nets):
    flat = [part for net, country in nets.items() for part in (net.replace("_", ".") + "/24", country)]
    subprocess.run(["perl", "-e", WRITER, str(path), *flat], check=True)


def from_(address):
    return [("X-Forwarded-For", address)]


def test_videos_are_played_where_the_lists_let_them(lab):
    base = lab.dir / "countries.mmdb"
    write_countries(base, **{"192_0_2_0": "DE", "198_51_100_0": "FR", "203_0_113_0": "CH"})
    catalogue = start(lab, f"trusted: [127.0.0.1]\ncountries: {{database: {base}, deny: [CH]}}\n")
    ada, bob = catalogue.person("ada@example.org"), catalogue.person("bob@example.org")
    free = catalogue.publish(ada)
    bound = catalogue.publish(ada, countries={"allow": ["DE"]})
    german, french, swiss, nowhere = "192.0.2.7", "198.51.100.7", "203.0.113.7", "100.64.0.7"
    for address, of_free, of_bound in ((german, 302, 302), (french, 302, 451), (swiss, 451, 451),
                                       (nowhere, 451, 451)):
        assert manifest(catalogue, free, headers=from_(address)).status == of_free, address
        assert manifest(catalogue, bound, bob, from_(address)).status == of_bound, address
    answer = manifest(catalogue, bound, headers=from_(french))
    assert slug(answer) == "blocked-country" and "FR" in answer.json()["detail"]
    assert answer.headers["Link"] == f'<{catalogue.origin.url}>; rel="blocked-by"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert manifest(catalogue, bound, ada, from_(french)).status == 302, "the owner's own list"
    assert manifest(catalogue, bound, ada, from_(swiss)).status == 451, "the site's binds all"
    assert get(f"{catalogue.api}/videos/{bound}", headers=from_(french)).status == 200
    assert catalogue.origin.metric("origin_access_blocked_total") >= 6


def test_where_it_is_not_known_where_somebody_is_the_site_decides(lab):
    for unknown, status in (("serve", 302), ("refuse", 451)):
        catalogue = start(lab, f"countries: {{unknown: {unknown}}}\n", name=unknown)
        ada = catalogue.person("ada@example.org")
        bound = catalogue.publish(ada, countries={"deny": ["FR"]})
        answer = manifest(catalogue, bound)
        assert answer.status == status, answer.body
        assert status == 302 or "not known where you are" in answer.json()["detail"]


def test_another_database_of_countries_is_taken_while_the_origin_serves(lab):
    base = lab.dir / "countries.mmdb"
    write_countries(base, **{"192_0_2_0": "DE"})
    catalogue = start(lab, f"trusted: [127.0.0.1]\ncountries: {{database: {base}}}\n")
    ada = catalogue.person("ada@example.org")
    bound = catalogue.publish(ada, countries={"allow": ["FR"]})
    assert manifest(catalogue, bound, headers=from_("192.0.2.1")).status == 451
    write_countries(base, **{"192_0_2_0": "FR"})

    until(lambda: manifest(catalogue, bound, headers=from_("192.0.2.1")).status == 302,
          "the new database is taken")
    (lab.dir / "rubbish").write_bytes(b"rubbish")
    (lab.dir / "rubbish").rename(base)
    until(lambda: "could not take the new database" in catalogue.origin.log(), "the broken one is refused")
    assert manifest(catalogue, bound, headers=from_("192.0.2.1")).status == 302


# ---- deletion --------------------------------------------------------------------


def tiers(lab, authority=None):
    """An origin that knows its nodes: (catalogue, regional, edge). With an authority the edge is told
    by TLS, by who shows a certificate of the same; and under another name, which is not its own."""
    regional = lab.edge([], name="regional-1", role="regional", start=False, extra="state: state\n")
    edge = lab.edge(["{ url: %s, tier: regional }" % regional.url], name="edge-1",
                    extra="state: state\n")
    nodes, own = f"{{url: {edge.admin}}}", ""
    if authority:
        edge.stop()
        edge.config_path.write_text(edge.config_path.read_text().replace("admin:\n", (
            "tls:\n" + entry("staff", [authority.issue("localhost")], authorities=authority.path) +
            "admin:\n  tls: staff\n")))
        edge.start(wait=False)
        until(lambda: edge.log().count("admin address open") == 2, "it listens")
        nodes = ", ".join(f"{{url: 'https://{host}:{edge.admin_port}'}}"
                          for host in ("localhost", "127.0.0.1"))
        own = "authorities: {}, certificate: {}, key: {}, ".format(
            authority.path, *authority.issue("origin"))
    catalogue = start(lab, f"purge: {{{own}nodes: [{nodes}, "
                           f"{{url: {regional.admin}, tier: regional}}], late: 4s}}\n")
    regional.config_path.write_text(regional.config_path.read_text().replace(
        "upstreams:\n", f"upstreams:\n  - {{ url: {catalogue.origin.url}, tier: origin }}\n"))
    regional.start()
    return catalogue, regional, edge


def purged(catalogue):
    """The origin has told every node of all."""
    def told():
        rows = sqlite3.connect(f"file:{catalogue.origin.dir}/data/origin.db?mode=ro", uri=True)
        return rows.execute("SELECT count(*) FROM purges").fetchone()[0] == 0
    until(told, "all nodes are told")


def test_a_deleted_video_goes_from_objects_and_nodes(lab):
    catalogue, regional, edge = tiers(lab)
    ada = catalogue.person("ada@example.org")
    video, kept = (catalogue.publish(ada, media=MEDIA) for _ in range(2))
    paths = [f"/media/{one}/{catalogue.version}/{MEDIA[0][0]}" for one in (video, kept)]
    for path in paths:
        assert get(edge.url + path).body == MEDIA[0][1]
        assert "hit" in get(edge.url + path).headers["Cache-Status"]
    assert ada.delete(f"videos/{video}").status == 204
    for folder in ("media", "uploads", "work"):
        assert not (catalogue.objects / folder / video).exists()
    late = catalogue.objects / "media" / video / catalogue.version
    late.mkdir(parents=True)  # by a worker that has not heard of it
    (late / "seg").write_bytes(b"late")
    purged(catalogue)
    assert get(edge.url + paths[0]).status == 404 and get(regional.url + paths[0]).status == 404
    assert "hit" in get(edge.url + paths[1]).headers["Cache-Status"]
    until(lambda: not late.exists(), "it is removed again")
    until(lambda: catalogue.origin.metric("origin_removals_waiting") == 0, "nothing is left to do")


def test_nodes_are_told_by_tls_and_whom_nobody_vouches_for_is_not(lab, authority):
    catalogue, _, edge = tiers(lab, authority)
    ada = catalogue.person("ada@example.org")
    video = catalogue.publish(ada, media=MEDIA)
    at = f"{edge.url}/media/{video}/{catalogue.version}/{MEDIA[0][0]}"
    assert get(at).status == 200
    assert ada.delete(f"videos/{video}").status == 204
    until(lambda: get(at).status == 404, "the edge is told")
    until(lambda: catalogue.origin.metric("origin_purge_nodes_away") == 1, "the other is not")
    assert "a node does not take purges" in catalogue.origin.log()


def test_hidden_videos_leave_the_nodes(lab):
    catalogue, _, edge = tiers(lab)
    ada, root = catalogue.person("ada@example.org"), catalogue.person(ADMIN)
    video = catalogue.publish(ada, media=MEDIA)
    at = f"{edge.url}/media/{video}/{catalogue.version}/{MEDIA[0][0]}"
    assert get(at).status == 200
    privacy(ada, video, privacy="private")
    purged(catalogue)
    assert get(at).status == 404
    privacy(ada, video, privacy="unlisted")
    purged(catalogue)
    until(lambda: get(at).status == 200, "what was not there is asked for again")
    assert root.post(f"videos/{video}/deactivate", {"reason": "doubt"}).status == 200
    purged(catalogue)
    assert get(at).status == 404


class Nodes:
    """Admin addresses that write down which tags they are told to purge, and of whom, in order."""

    def __init__(self, *names):
        self.told, self.servers = [], {}
        self.ports = {name: free_port() for name in names}

    def open(self, name):
        nodes = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/purge" and self.headers["Content-Type"] == "application/json"
                nodes.told += [(name, purge["tag"]) for purge in body["purges"]]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.ports[name]), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.servers[name] = server

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def close(self):
        for server in self.servers.values():
            server.shutdown()
            server.server_close()


def test_a_node_that_was_away_is_told_when_it_is_back(lab):
    nodes = Nodes("edge", "regional")
    try:
        catalogue = start(lab, f"purge: {{nodes: [{{url: {nodes.url('edge')}}}, "
                               f"{{url: {nodes.url('regional')}, tier: regional}}]}}\n")
        nodes.open("edge")
        ada = catalogue.person("ada@example.org")
        first, second, third = (catalogue.publish(ada) for _ in range(3))
        for video in (first, second):
            assert ada.delete(f"videos/{video}").status == 204
        metric = catalogue.origin.metric
        until(lambda: metric("origin_purges_waiting") == 2 and metric("origin_purge_nodes_away") == 1,
              "the regional node is missed")
        assert nodes.told == [("edge", f"v-{video}") for video in (first, second)]
        catalogue.origin.kill()  # what it has to tell outlives it
        nodes.open("regional")
        catalogue.origin.start()
        until(lambda: len(nodes.told) == 6, "both are told")
        both = [f"v-{video}" for video in (first, second)]
        assert nodes.told[2:] == [("regional", tag) for tag in both] + [("edge", tag) for tag in both], \
            "what the edge may have fetched again from there"
        assert ada.delete(f"videos/{third}").status == 204
        until(lambda: len(nodes.told) == 8, "both are told of the next")
        assert [name for name, _ in nodes.told[6:]] == ["regional", "edge"], "upper ones first"
        until(lambda: metric("origin_purges_waiting") == 0, "nothing waits")
    finally:
        nodes.close()
