#!/usr/bin/env python3
"""Real players in a real browser, through edge and regional node to the origin.

usage: player.py        (programs and page from $FB_BUILD_DIR; screenshots go to
                        $FB_BUILD_DIR/e2e)
"""
import concurrent.futures
import functools
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import encrypted  # noqa: E402
from lab import ADMIN, BUILD, REGION, Lab, call, get, until  # noqa: E402
from lab_tls import Authority, add_tls, entry  # noqa: E402
from showreel import showreel, subtitles  # noqa: E402
from studio import Studio  # noqa: E402

SECONDS = 12
SCHEMES = ("cenc", "cbcs")


def fetch_modules(folder):
    """playwright-core, players and parsers, as package-lock.json pins them."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = all((folder / name).exists() and
                (folder / name).read_bytes() == (HERE / name).read_bytes()
                for name in ("package.json", "package-lock.json"))
    if fresh and (folder / "node_modules").exists():
        return
    for name in "package.json", "package-lock.json", ".npmrc":
        shutil.copy(HERE / name, folder / name)
    subprocess.run(["npm", "ci", "--no-progress", "--loglevel=error"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder):
    """Serves a folder on loopback; returns its URL."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def close_the_loop(lab, origin, edge, modules, shots):
    """One video that is watched, and one that the edge is told to hold before anybody asks."""
    studio, fan = Studio(origin.url), Studio(origin.url)
    studio.sign_up(email=ADMIN)
    fan.sign_up()
    watched, planned = (studio.publish(lab.clip("-c:a", "aac", name=f"{title}.mp4", size="320x180"),
                                       title=title) for title in ("The first one", "The next one"))
    answer = call("POST", f"{studio.api}/plans", {"video": planned, "region": REGION}, studio.token)
    assert answer.status == 200, answer.body
    until(lambda: edge.status()["warm"]["state"] == "done", "the edge holds what is planned")
    before = edge.status()["views"]["sessions"]
    said = {"watched": watched, "planned": planned, "creator": studio.token, "fan": fan.token,
            "reader": Studio(origin.url).sign_up()}
    done = subprocess.run(["node", str(HERE / "loop.mjs"), str(modules), origin.url, str(shots), "edge-1"],
                          input=json.dumps(said), text=True, timeout=200)
    assert done.returncode == 0, "the loop of signals is not closed"
    assert edge.status()["views"]["sessions"] == before + 2, "a player is more than one session"
    assert edge.status()["warm"]["yield"]["served"] > 0, "nothing came of the plan"


def play_clear(lab, origin, edge, modules, shots):
    """hls.js on the watch page and dash.js, and what people do there."""
    studio = Studio(origin.url)
    studio.sign_up()
    video = studio.publish(lab.clip("-c:a", "aac", seconds=SECONDS, size="854x480"),
                           title=f"A test card, counted in {SECONDS} seconds",
                           description="Sound: one steady tone.", tags=["test", "card"])
    mpd = urllib.parse.quote(studio.manifest(video, "dash").replace(
        f"https://127.0.0.1:{edge.tls_port}", edge.url), safe="")
    subprocess.run(["node", str(HERE / "player.mjs"), str(modules), f"{origin.url}/watch/{video}",
                    f"{serve(shots)}/dash.html?mpd={mpd}", str(shots), "edge-1", "regional-1"], check=True,
                   env={**os.environ, "CLIP_SECONDS": str(SECONDS)}, timeout=400)
    reader = Studio(origin.url).sign_up()
    subprocess.run(["node", str(HERE / "engage.mjs"), str(modules), f"{origin.url}/watch/{video}", str(shots),
                    reader["email"], reader["password"]], check=True, timeout=120)


def play_everywhere(lab, reel, origin, edge, modules, shots):
    """Three players and three parsers on a video with languages, subtitles and a storyboard."""
    studio = Studio(origin.url)
    studio.sign_up()
    made = studio.create(reel, title="Red, then blue")
    video = made["id"]
    text = subtitles(lab.dir / "fr.srt", "fr", 12).read_bytes()
    answer = get(f"{studio.api}/videos/{video}/subtitles?language=fr", "POST",
                 {"Authorization": f"Bearer {studio.token}"}, text)
    assert answer.status == 201, answer.body
    studio.upload(made["upload"]["url"], reel)
    studio.complete(video)
    studio.follow(video)
    urls = [studio.manifest(video, kind).replace(f"https://127.0.0.1:{edge.tls_port}", edge.url)
            for kind in ("hls", "dash", "ondemand")]
    published = next((origin.dir / "data" / "objects" / "media" / video).iterdir())
    subprocess.run(["node", str(HERE / "validate.mjs"), str(modules), str(published)], check=True, timeout=60)
    subprocess.run(["node", str(HERE / "packaging.mjs"), str(modules), f"{serve(shots)}/packaging.html", *urls,
                    f"{origin.url}/watch/{video}", str(shots)], check=True, timeout=200)


def on_a_train(lab, origin, edge, modules):
    """The edge goes away while somebody watches, and comes back."""
    studio = Studio(origin.url)
    studio.sign_up()
    video = encrypted.publish(studio, lab, "train", "unlisted", SECONDS)
    acts = {"cut": edge.stop, "mend": edge.start}
    with subprocess.Popen(["node", str(HERE / "train.mjs"), str(modules), f"{origin.url}/watch/{video}"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as page:
        for line in page.stdout:
            acts[line.strip()]()
            page.stdin.write("done\n")
            page.stdin.flush()
    assert page.returncode == 0, "the watch page does not go on when the network is back"


def upload_in_the_studio(lab, reel, origin, modules, shots):
    """A creator at the page, with a file so large that it goes in parts."""
    padding, clip = lab.dir / "padding", lab.dir / "two languages.mkv"
    padding.write_bytes(os.urandom(17 << 20))
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(reel), "-map", "0",
                    "-c", "copy", "-attach", str(padding),
                    "-metadata:s:t:0", "mimetype=application/octet-stream", str(clip)], check=True)
    text = subtitles(lab.dir / "film.fr.srt", "fr", 12)
    subprocess.run(["node", str(HERE / "studio.mjs"), str(modules), origin.url, str(clip), str(text),
                    str(shots)], check=True, timeout=150)


def main():
    modules, shots = BUILD / "e2e" / "npm", BUILD / "e2e"
    fetch_modules(modules)
    shutil.copy(HERE / "dash.html", shots / "dash.html")
    shutil.copy(HERE / "packaging.html", shots / "packaging.html")
    shutil.copy(HERE / "encryption.html", shots / "encryption.html")
    for source, name in ((modules / "node_modules/dashjs/dist/modern/umd/dash.all.min.js", "dash.js"),
                         (modules / "node_modules/shaka-player/dist/shaka-player.compiled.js", "shaka.js"),
                         (BUILD / "web-npm/node_modules/hls.js/dist/hls.min.js", "hls.min.js")):
        shutil.copy(source, shots / name)
    with Lab() as lab:
        # hls.js has the segments over TLS and HTTP/2, dash.js over neither.
        pair = Authority(lab.dir / "ca").issue("127.0.0.1")
        origin, regional, edge = lab.system(
            secure=lambda edge: add_tls(edge, entry("players", [pair])), signals="1s")
        systems = {scheme: encrypted.start(lab, scheme) for scheme in SCHEMES}
        reel = showreel(lab.dir)

        counted = threading.Event()

        def one_lane():
            try:
                close_the_loop(lab, origin, edge, modules, shots)
            finally:
                counted.set()
            play_clear(lab, origin, edge, modules, shots)

        def other_lane():
            encrypted.play_encrypted(lab, systems, modules, f"{serve(shots)}/encryption.html")
            on_a_train(lab, *systems["cbcs"], modules)
            counted.wait()  # the loop counts the sessions of an edge, and is alone with it
            upload_in_the_studio(lab, reel, origin, modules, shots)
            play_everywhere(lab, reel, origin, edge, modules, shots)

        # Players wait for the time to pass: two of them do so at once.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for lane in [pool.submit(one_lane), pool.submit(other_lane)]:
                lane.result()
        assert edge.status()["requests"]["hits"] > 0, "nothing was served from the edge"
        for row in ("tls_handshakes_total{kind=\"full\",", "http2_connections_total{"):
            assert edge.metric(row + "server=\"forebay-edge\"}") > 0, "it did not come by TLS"
    return 0


if __name__ == "__main__":
    sys.exit(main())
