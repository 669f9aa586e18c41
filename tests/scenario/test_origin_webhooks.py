"""Webhooks: whoever is named is told what becomes of videos, in order and signed."""
import hashlib
import hmac
import http.server
import json
import socket
import threading
import time

from catalogue import CONFIG, Catalogue
from lab import until

SECRET = "a-secret-of-this-lab"


class Receiver:
    """Takes events, or refuses them while `refuses`."""

    def __init__(self):
        receiver = self
        self.taken, self.refused, self.refuses = [], 0, False

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.check(self.headers, body)
                if receiver.refuses:
                    receiver.refused += 1
                else:
                    receiver.taken.append(json.loads(body))
                self.send_response(503 if receiver.refuses else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"

    @staticmethod
    def check(headers, body):
        parts = dict(part.split("=") for part in headers["Webhook-Signature"].split(","))
        message = parts["t"].encode() + b"." + body
        assert parts["v1"] == hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
        assert headers["Content-Type"] == "application/json"
        assert headers["Webhook-Id"] == json.loads(body)["id"]

    def kinds(self):
        return [(event["type"], event["video"]["id"]) for event in self.taken]


def start(lab, *receivers):
    hooks = "".join(f"  - {{url: '{receiver.url}', secret: {SECRET}}}\n" for receiver in receivers)
    origin = lab.origin(workers=0, extra=CONFIG + ("webhooks:\n" + hooks if hooks else ""))
    return origin, Catalogue(origin)


def test_what_becomes_of_a_video_is_told_in_order(lab):
    one, other = Receiver(), Receiver()
    _, catalogue = start(lab, one, other)
    ada = catalogue.person("ada@example.org")
    video = catalogue.publish(ada)
    until(lambda: one.kinds() == other.kinds() == [("video.ready", video)], "both are told")
    event = one.taken[0]
    assert event["video"]["owner"] == ada.id and event["video"]["version"]
    assert event["video"]["reason"] is None
    assert ada.delete(f"videos/{video}").status == 204
    until(lambda: one.kinds()[1:] == other.kinds()[1:] == [("video.deleted", video)], "and told")
    assert int(one.taken[1]["id"]) > int(event["id"])


def test_who_was_away_is_told_of_all_of_it_once_more(lab):
    receiver = Receiver()
    origin, catalogue = start(lab, receiver)
    ada = catalogue.person("ada@example.org")
    receiver.refuses = True
    videos = [catalogue.publish(ada, f"video {i}") for i in range(3)]
    until(lambda: receiver.refused > 0, "the first was refused")
    assert receiver.taken == []
    origin.kill()
    receiver.refuses = False
    origin.start()
    until(lambda: receiver.kinds() == [("video.ready", video) for video in videos], "all are told")
    assert origin.metric("origin_hooks_told_total") == 3


def test_a_new_receiver_hears_of_what_is_new(lab):
    origin, catalogue = start(lab)
    ada = catalogue.person("ada@example.org")
    catalogue.publish(ada, "before")
    receiver = Receiver()
    origin.stop()
    with open(origin.config_path, "a") as config:
        config.write(f"webhooks: [{{url: '{receiver.url}', secret: {SECRET}}}]\n")
    origin.start()
    after = catalogue.publish(ada, "after")
    until(lambda: receiver.kinds() == [("video.ready", after)], "the new one is told")


class Rude:
    """Answers with a head, as far as `answer` is one, and then sends without end."""

    def __init__(self, answer, more):
        self.server, self.n_sent = socket.create_server(("127.0.0.1", 0)), 0
        self.answer, self.more = answer, more
        threading.Thread(target=self.run, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/events"

    def run(self):
        while True:
            client, _ = self.server.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            try:
                client.recv(65536)
                client.sendall(self.answer)
                while self.more:
                    client.sendall(self.more)
                    self.n_sent += len(self.more)
                client.recv(1)  # hangs up when the origin does
            except OSError:
                pass


def test_nobody_waits_for_receivers_that_hang_or_never_end(lab):
    one, endless = Receiver(), Rude(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)
    hanging = Rude(b"HTTP/1.1 200 OK\r\nX-Half: a", b"")
    origin, catalogue = start(lab, one, endless, hanging)
    ada = catalogue.person("ada@example.org")
    videos = [catalogue.publish(ada) for _ in range(12)]
    until(lambda: len(one.taken) == len(videos), "all are told in one round or two", 12)
    assert endless.n_sent < 64 * 1024 * 1024, "of content without end little is read"
    until(lambda: '"status":0' in origin.log(), "half a head is no answer")
    began = time.monotonic()
    origin.stop()
    assert time.monotonic() - began < 10
