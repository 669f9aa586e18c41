"""Encrypted videos in a real browser, with keys from the origin."""
import json
import pathlib
import subprocess

from lab import BUILD, call
from studio import Studio

HERE = pathlib.Path(__file__).resolve().parent


def start(lab, scheme):
    """An origin that encrypts, behind an edge; its pages are those of this build."""
    edge = lab.edge([], name=f"edge-{scheme}", start=False)
    origin = lab.origin(name=f"origin-{scheme}", public_url=edge.url, workers=1,
                        extra=f"web: {BUILD / 'web'}\ntranscode: {{encryption: {scheme}}}\n")
    edge.config_path.write_text(edge.config_path.read_text().replace(
        "upstreams:\n", f"upstreams:\n  - url: {origin.url}\n"))
    return origin, edge.start()


def publish(studio, lab, scheme, privacy, seconds=4):
    clip = lab.clip("-c:a", "aac", name=f"{scheme}-{privacy}.mp4", size="320x180", seconds=seconds)
    video = studio.publish(clip)
    answer = call("PATCH", f"{studio.api}/videos/{video}", {"privacy": privacy}, studio.token)
    assert answer.status == 200, answer.body
    return video


def shaka_cases(studio, video, edge, scheme, privacy):
    """What Shaka plays of the DASH manifests, with the same licences."""
    dash, on_demand = (call("GET", f"{studio.api}/videos/{video}/manifest?format={kind}", None,
                            studio.token).headers["Location"] for kind in ("dash", "ondemand"))
    case = {"name": f"a {privacy} video by {scheme}", "url": dash,
            "licences": f"{edge.url}/api/v1/licences/clearkey"}
    if privacy != "private":
        return [{**case, "plays": True},
                {**case, "name": f"one on demand by {scheme}", "url": on_demand, "plays": True}]
    return [{**case, "token": studio.token, "plays": True},
            {**case, "name": "somebody else's private video", "plays": False}]


def watch_cases(studio, account, video, origin, scheme, privacy):
    """The watch page: by its owner, by nobody that is known, and without what decrypts."""
    case = {"watch": f"{origin.url}/watch/{video}", "name": f"the page of one that is {privacy}, {scheme}"}
    if privacy == "private":
        return [{**case, "session": studio.session, "plays": True},
                {**case, "name": "the page of somebody else's private video", "says": "no such video"},
                {**case, "name": "the page of one's own, after logging in", "account": account, "plays": True}]
    return [{**case, "plays": True},
            {**case, "name": f"the page without media keys, {scheme}", "without": True,
             "says": "cannot play encrypted videos"}]


def play_encrypted(lab, systems, modules, page_url):
    """By each scheme: everybody plays what is unlisted, and a private video its owner alone."""
    cases = []
    for scheme, (origin, edge) in systems.items():
        studio = Studio(origin.url)
        account = studio.sign_up()
        for privacy in ("unlisted", "private") if scheme == "cenc" else ("public",):
            video = publish(studio, lab, scheme, privacy)
            if privacy != "unlisted":
                cases += shaka_cases(studio, video, edge, scheme, privacy)
            cases += watch_cases(studio, account, video, origin, scheme, privacy)
    done = subprocess.run(["node", str(HERE / "encryption.mjs"), str(modules), page_url],
                          input=json.dumps(cases), text=True, timeout=200)
    assert done.returncode == 0, "an encrypted video is not played as it should"
