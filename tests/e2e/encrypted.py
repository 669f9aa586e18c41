"""Encrypted videos in a real browser, with keys from the origin."""
import json
import pathlib
import subprocess

from lab import Lab, call
from studio import Studio

HERE = pathlib.Path(__file__).resolve().parent


def play_encrypted(modules, page_url, schemes=("cenc", "cbcs")):
    """By each scheme: everybody plays a public video, and a private one its owner alone."""
    with Lab() as lab:
        cases = []
        for scheme in schemes:
            edge = lab.edge([], name=f"edge-{scheme}", start=False)
            origin = lab.origin(name=f"origin-{scheme}", public_url=edge.url, workers=1,
                                extra=f"transcode: {{encryption: {scheme}}}\n")
            edge.config_path.write_text(edge.config_path.read_text().replace(
                "upstreams:\n", f"upstreams:\n  - url: {origin.url}\n"))
            edge.start()
            studio = Studio(origin.url)
            studio.sign_up()
            video = studio.publish(lab.clip("-c:a", "aac", name=f"{scheme}.mp4", size="320x180", seconds=4))
            licences = f"{edge.url}/api/v1/licences/clearkey"
            cases.append({"name": f"a public video by {scheme}", "url": studio.manifest(video, "dash"),
                          "licences": licences, "plays": True})
            if scheme != schemes[0]:
                continue
            answer = call("PATCH", f"{studio.api}/videos/{video}", {"privacy": "private"}, studio.token)
            assert answer.status == 200, answer.body
            way = call("GET", f"{studio.api}/videos/{video}/manifest?format=dash", None, studio.token)
            private = {"url": way.headers["Location"], "licences": licences}
            cases[-1] = {**private, "name": f"a private video by {scheme}", "token": studio.token, "plays": True}
            cases.append({**private, "name": "somebody else's private video", "plays": False})
        done = subprocess.run(["node", str(HERE / "encryption.mjs"), str(modules), page_url],
                              input=json.dumps(cases), text=True, timeout=200)
        assert done.returncode == 0, "an encrypted video is not played as it should"
