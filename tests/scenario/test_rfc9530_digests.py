"""What responses say of their own bytes (RFC 9530): which message that is of, and what is believed."""
import base64
import hashlib
import itertools
import os

import pytest
from lab import get

MIB = 1 << 20
BODY = os.urandom(30000)
NAMES = itertools.count()


def digest(body, algorithm="sha-256"):
    value = hashlib.new(algorithm.replace("-", ""), body).digest()
    return f"{algorithm}=:{base64.b64encode(value).decode()}:"


def put(edge, name, claim, body=BODY):
    """The URL of a body with a claim about it."""
    path = f"/{next(NAMES)}"
    edge.origin.put(path, body, {"Cache-Control": "max-age=600", name: claim})
    return edge.url + path


def is_believed(url):
    """True if what is sent is sent whole, and kept."""
    answers = [get(url), get(url)]
    return all(a.complete and a.body == BODY for a in answers) and \
        "; hit" in answers[1].headers["Cache-Status"]


def is_disbelieved(url):
    try:
        answer = get(url)
    except ConnectionError:
        return True
    return not answer.complete or answer.status == 502


@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
def test_a_claim_about_a_whole_is_sent_with_the_whole(edge, name):
    url = put(edge, name, digest(BODY))
    for _ in range(2):
        assert get(url).headers[name] == digest(BODY)


def test_a_claim_about_one_message_is_not_made_of_a_part_of_it(edge):
    url = put(edge, "Content-Digest", digest(BODY))
    get(url)
    part = get(url, span=(0, 9))
    assert part.status == 206 and "Content-Digest" not in part.headers
    several = get(url, headers={"Range": "bytes=0-9,20000-20009"})
    assert several.status == 206 and "Content-Digest" not in several.headers
    assert "Content-Digest" in get(url).headers


def test_a_claim_about_one_part_is_not_made_of_what_it_becomes(edge):
    """A 206 is a part of what is kept: its own claim goes no further than to prove it."""
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(206, BODY[:1000], {
        "Cache-Control": "max-age=600", "ETag": '"1"', "Content-Range": f"bytes 0-999/{MIB}",
        "Content-Digest": digest(BODY[:1000])}))
    assert get(edge.url + path, span=(0, 999)).status in (206, 502)
    answer = get(edge.url + path, span=(0, 9))
    assert "Content-Digest" not in answer.headers


def test_a_claim_about_the_representation_is_made_of_its_parts_too(edge):
    url = put(edge, "Repr-Digest", digest(BODY))
    get(url)
    assert get(url, span=(0, 9)).headers["Repr-Digest"] == digest(BODY)


@pytest.mark.parametrize("claim", [
    "md5=:AAAAAAAAAAAAAAAAAAAAAA==:", "sha-256=AAAA", "sha-256=:AAAA:", "sha-256=\"x\"", "sha-256",
    "SHA-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:", "sha-256=:*:", "=", "unixsum=1",
    digest(b"other") + ", ="])
def test_what_is_unknown_or_malformed_claims_nothing(edge, claim):
    assert is_believed(put(edge, "Repr-Digest", claim))


@pytest.mark.parametrize("claim", [digest(b"other"), digest(b"other", "sha-512"),
                                   "md5=:AAAA:, " + digest(b"other")])
@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
def test_what_is_something_else_is_not_believed(edge, name, claim):
    url = put(edge, name, claim)
    assert is_disbelieved(url) and is_disbelieved(url)


def test_of_two_claims_the_stronger_counts(edge):
    assert is_believed(put(edge, "Repr-Digest", f"{digest(b'other')}, {digest(BODY, 'sha-512')}"))
    assert is_disbelieved(put(edge, "Repr-Digest", f"{digest(BODY)}, {digest(b'other', 'sha-512')}"))


def test_parameters_of_a_claim_do_not_count(edge):
    assert is_believed(put(edge, "Repr-Digest", digest(BODY) + ";x=1;y"))
    assert is_disbelieved(put(edge, "Repr-Digest", digest(b"other") + ";x=1;y"))


def broken(body, claim, cut_at):
    """Breaks once at this byte; ranges of it come whole."""
    def script(exchange):
        fields = {"Cache-Control": "max-age=600", "ETag": '"1"', "Repr-Digest": claim}
        span = exchange.request.headers.get("Range")
        if span is None:
            exchange.head(200, {**fields, "Content-Length": len(body)})
            exchange.send(body[:cut_at])
            exchange.close()
            return
        first, last = span[len("bytes="):].split("-")
        first, end = int(first), min(int(last or len(body)), len(body) - 1) + 1
        exchange.reply(206, body[first:end],
                       {**fields, "Content-Range": f"bytes {first}-{end - 1}/{len(body)}"})
    return script


@pytest.mark.parametrize("cut_at", [1, 100000, 2 * MIB])
def test_the_digest_is_followed_over_a_body_that_breaks(edge, cut_at):
    body = os.urandom(3 * MIB)
    right, wrong = f"/{next(NAMES)}", f"/{next(NAMES)}"
    edge.origin.on(right, broken(body, digest(body), cut_at))
    edge.origin.on(wrong, broken(body, digest(b"other"), cut_at))
    answer = get(edge.url + right)
    assert answer.complete and answer.body == body and edge.origin.count(right) >= 2
    assert is_disbelieved(edge.url + wrong)


def test_parts_asked_for_one_by_one_are_not_held_to_the_digest_of_the_whole(edge):
    """Their bytes come in any order, and may have left again before the last is here."""
    body = os.urandom(2 * MIB)
    url = put(edge, "Repr-Digest", digest(b"other"), body)
    for first in (MIB, 0):
        part = get(url, span=(first, first + MIB - 1))
        assert part.status == 206 and part.complete and part.body == body[first:first + MIB]
