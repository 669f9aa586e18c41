"""Subtitles beside a video, at the real origin: understood, kept as WebVTT, or refused by line."""
from lab import call, get
from studio import Studio
from test_origin_uploads import QUICK

SRT = "1\n00:00:01,000 --> 00:00:02,500\n<i>Hallo</i> & <font>Welt\n".encode()


class Creator(Studio):
    def __init__(self, lab):
        self.origin = lab.origin(workers=0, extra=QUICK)
        super().__init__(self.origin.url)
        self.sign_up()
        self.upload_url = self.make()

    def make(self):
        made = call("POST", f"{self.api}/videos", {"title": "t", "filename": "c.mp4", "size": 5}, self.token).json()
        self.url = f"{self.api}/videos/{made['id']}/subtitles"
        self.files = self.origin.dir / "data" / "objects" / "uploads" / made["id"] / "subtitles"
        return made["upload"]["url"]

    def add(self, query, body=SRT, token=None):
        return get(f"{self.url}?{query}", "POST", {"Authorization": f"Bearer {token or self.token}"}, body)


def test_what_was_understood_is_kept_and_can_be_taken_back(lab):
    creator = Creator(lab)
    answer = creator.add("language=de-AT&label=F%C3%BCr%20Kinder")
    assert answer.status == 201, answer.body
    kept = answer.json()
    assert kept | {"id": ""} == {"id": "", "language": "de-AT", "label": "Für Kinder", "cues": 1}
    assert (creator.files / kept["id"]).read_text() == \
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n<i>Hallo</i> &amp; Welt\n"
    assert call("GET", creator.url, token=creator.token).json() == {"items": [kept]}
    assert creator.add("language=de-AT&label=F%C3%BCr%20Kinder").json()["type"].endswith("/subtitles-exist")
    assert call("DELETE", f"{creator.url}/{kept['id']}", token=creator.token).status == 204
    assert call("DELETE", f"{creator.url}/{kept['id']}", token=creator.token).status == 404
    assert list(creator.files.iterdir()) == []


def test_a_file_that_cannot_be_read_is_refused_by_its_line(lab):
    creator = Creator(lab)
    answer = creator.add("language=en", b"WEBVTT\n\n00:01.000 -> 00:02.000\nHi\n")
    assert answer.status == 422 and answer.json()["type"].endswith("/bad-subtitles")
    assert answer.json()["detail"].startswith("Line 3: expected two times")
    for query in "", "language=", "language=e", "language=en_US", "language=en&label=" + "x" * 64:
        assert creator.add(query).status == 422, query
    assert creator.add("language=en", b"x" * (2 * 1024 * 1024 + 1)).status == 413


def test_they_are_their_owners_and_closed_with_the_upload(lab):
    creator = Creator(lab)
    stranger = Studio(creator.origin.url)
    stranger.sign_up()
    assert creator.add("language=en", token=stranger.token).status == 403
    assert call("GET", creator.url, token=stranger.token).status == 403
    assert get(creator.url + "?language=en", "POST", {}, SRT).status == 401
    kept = creator.add("language=en").json()
    assert get(creator.upload_url, "PUT", {}, b"12345").status == 200
    assert call("POST", creator.url.replace("subtitles", "complete"), {}, creator.token).status == 202
    assert creator.add("language=de").status == 409
    assert call("DELETE", f"{creator.url}/{kept['id']}", token=creator.token).status == 409
