"""Plans of the real origin: from what nodes report to what edges pull."""
import base64
import hashlib
import http.client
import json
import time

from lab import call, get
from studio import Studio
from view_reports import Entry, Node

TOKEN = "reports-of-this-lab"
CONF = f"auth:\n  hash_memory: 1MiB\nviews:\n  token: {TOKEN}\nadmins: [ada@example.org]\n"


def report(origin, node):
    connection = http.client.HTTPConnection("127.0.0.1", origin.port, timeout=30)
    connection.request("POST", "/internal/v1/reports", node.body(1), {"Authorization": f"Bearer {TOKEN}"})
    assert connection.getresponse().status == 200
    connection.close()


def pull(origin, region):
    """The head's payload and the entries of the body, whose digest the head names."""
    head = get(f"{origin.url}/internal/v1/plans/{region}")
    assert head.status == 200 and head.headers["Content-Type"] == "application/jose"
    payload = head.body.decode().split(".")[1]
    payload = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    body = get(f"{origin.url}/internal/v1/plans/{region}/{payload['sha256']}")
    assert body.status == 200 and "immutable" in body.headers["Cache-Control"]
    assert hashlib.sha256(body.body).hexdigest() == payload["sha256"] and len(body.body) == payload["bytes"]
    entries = [json.loads(line) for line in body.body.decode().splitlines()]
    assert len(entries) == payload["entries"]
    return payload, entries


def test_what_a_region_watches_is_planned_for_it(lab):
    origin = lab.origin(workers=1, extra=CONF)
    studio = Studio(origin.url)
    studio.sign_up("ada@example.org", "correct horse battery")
    video = studio.publish(lab.clip(seconds=5, size="320x180"))
    api = f"{origin.url}/api/v1"
    rendition = f"{get(f'{api}/videos/{video}').json()['renditions'][0]['height']}p"
    assert get(f"{origin.url}/internal/v1/plans/de-south").status == 404

    node = Node("edge-1", 1)
    minute = int(time.time()) // 60
    node.report([Entry(video, minute, 50, rendition=rendition, watch_ms=200000, size=10**6)], 0)
    report(origin, node)
    assert call("POST", f"{api}/plans", {"video": video}, studio.token).status == 200
    payload, entries = pull(origin, "de-south")
    assert payload["region"] == "de-south" and payload["serial"] == 1
    assert entries[0]["reason"] == "release" and entries[0]["now"]
    assert {entry["path"].rpartition("/")[2] for entry in entries} >= {"init.mp4", "seg-00001.m4s", "poster.jpg"}
    for entry in entries:
        media = get(origin.url + entry["path"])
        assert media.status == 200 and len(media.body) == entry["size"]
        assert hashlib.sha256(media.body).hexdigest() == entry["sha256"]

    told = call("GET", f"{api}/plans/de-south?limit=2", token=studio.token).json()
    assert told["sha256"] == payload["sha256"] and len(told["first"]) == 2
    assert told["reasons"]["release"] == told["bytes"] == sum(entry["size"] for entry in entries)
    origin.stop()
    origin.start()
    assert pull(origin, "de-south") == (payload, entries)

    assert call("POST", f"{api}/videos/{video}/deactivate", {"reason": "a test"}, studio.token).status == 200
    assert call("POST", f"{api}/plans", {"video": video, "region": "de-south"}, studio.token).status == 200
    payload, entries = pull(origin, "de-south")
    assert payload["serial"] == 2 and entries == []


def test_only_admins_see_and_make_plans(lab):
    origin = lab.origin(workers=0, extra=CONF)
    other = Studio(origin.url)
    other.sign_up()
    api = f"{origin.url}/api/v1"
    assert call("GET", f"{api}/plans/de-south").status == 401
    assert call("GET", f"{api}/plans/de-south", token=other.token).status == 403
    assert call("POST", f"{api}/plans", {"video": "x"}, other.token).status == 403
    admin = Studio(origin.url)
    admin.sign_up("ada@example.org", "correct horse battery")
    assert call("GET", f"{api}/plans/de-south", token=admin.token).status == 404
    assert call("POST", f"{api}/plans", {"video": "x"}, admin.token).status == 422
    missing = {"video": "a" * 26, "region": "De South"}
    assert call("POST", f"{api}/plans", missing, admin.token).status == 422
    for path in ("De-South", "de-south/00", "de-south/" + "0" * 64):
        assert get(f"{origin.url}/internal/v1/plans/{path}").status == 404
