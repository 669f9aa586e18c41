"""Odd answers of upstreams: interim ones, trailers, and what cannot be understood (RFC 9110 sections
6 and 15, RFC 9112)."""
import itertools

import pytest
from lab import Client, get, until

BODY = b"a body of some bytes"
HEAD = f"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
NAMES = itertools.count()


@pytest.fixture(scope="module")
def edge(module_lab):
    """One that does not give up an upstream for whatever it says."""
    edge = module_lab.edge(upstreams=[module_lab.scripted_origin().url], workers=1)
    edge.origin = module_lab.origins[0]
    return edge


def says(edge, *pieces, stays=False):
    """The URL of what is answered with bytes as they are; then the origin closes, or stays."""
    path = f"/{next(NAMES)}"

    def script(exchange):
        for piece in pieces:
            exchange.send(piece)
        if not stays:
            exchange.close()
    edge.origin.on(path, script)
    return edge.url + path


def asked(edge, url):
    return edge.origin.count(url[len(edge.url):])


def never_whole(url):
    """What is known to be broken before the head has left is cut without one."""
    try:
        answer = get(url)
    except ConnectionError:
        return True
    return ((answer.status == 502 or not answer.complete) and
            "; hit" not in answer.headers["Cache-Status"])


def is_refused(url):
    answer = get(url)
    return (answer.status == 502 and answer.complete and
            answer.headers["Content-Type"] == "application/problem+json" and
            "stored" not in answer.headers["Cache-Status"])


# ---- interim -----------------------------------------------------------------

@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints\r\nLink: </x>",
                                     "199 Odd\r\nContent-Length: 5"])
def test_interim_answers_are_passed_over(edge, interim):
    url = says(edge, f"HTTP/1.1 {interim}\r\n\r\n".encode() * 3, HEAD + BODY)
    with Client(edge.port) as client:
        client.request(url[len(edge.url):]).read_interim()
        assert client.response.status == 200 and "Link" not in client.response.headers
        assert client.read_body() == BODY
    assert "; hit" in get(url).headers["Cache-Status"]


def test_interim_answers_without_end_are_refused(edge):
    assert is_refused(says(edge, b"HTTP/1.1 102 Processing\r\n\r\n" * 17, HEAD + BODY))


def test_switching_protocols_unasked_is_refused(edge):
    url = says(edge, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
    assert is_refused(url)


def test_a_client_that_would_switch_is_answered_as_any_other(edge):
    url = says(edge, HEAD + BODY, stays=True)
    answer = get(url, headers={"Upgrade": "websocket"})
    assert answer.body == BODY
    assert "Upgrade" not in edge.origin.requests()[-1].headers


# ---- framing -----------------------------------------------------------------

@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "chunked, chunked", "identity", "xchunked"])
def test_a_transfer_coding_that_is_not_understood_is_refused(edge, coding):
    url = says(edge, f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n".encode(),
               b"4\r\nbody\r\n0\r\n\r\n")
    assert is_refused(url)


@pytest.mark.parametrize("fields", [
    "Content-Length: 4\r\nContent-Length: 5", "Content-Length: 4, 5", "Content-Length: -4",
    "Content-Length: +4", "Content-Length: 4x", "Content-Length: 0x4", "Content-Length: 99999999999999999999",
    "Content-Length: 4\r\nTransfer-Encoding: chunked"])
def test_two_lengths_or_none_that_is_a_number_are_refused(edge, fields):
    url = says(edge, f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode(), b"4\r\nbody\r\n0\r\n\r\n")
    assert is_refused(url)


@pytest.mark.parametrize("head", [
    "HTTP/1.1 2000 OK", "HTTP/1.1 20 OK", "HTTP/2.0 200 OK", "HTTP/1.1  200 OK", "ICY 200 OK",
    "HTTP/1.1 200 OK\r\nName : x", "HTTP/1.1 200 OK\r\nX: a\r\n b", "HTTP/1.1 200 OK\r\nX: a\rb",
    "HTTP/1.1 200 OK\r\nX: a\0b", "HTTP/1.1 200 OK\r\nno colon", "HTTP/1.1 200 OK\r\n: none"])
def test_what_is_no_head_is_refused(edge, head):
    assert is_refused(says(edge, f"{head}\r\nContent-Length: 4\r\n\r\nbody".encode()))


def test_a_status_of_no_class_is_refused(edge):
    assert is_refused(says(edge, b"HTTP/1.1 099 X\r\nContent-Length: 4\r\n\r\nbody"))


def test_a_status_that_is_not_known_is_passed_as_it_is(edge):
    answer = get(says(edge, b"HTTP/1.1 299 Odd\r\nContent-Length: 4\r\n\r\nbody"))
    assert answer.status == 299 and answer.body == b"body"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_what_ends_with_its_connection_is_whole(edge, version):
    url = says(edge, f"HTTP/{version} 200 OK\r\nCache-Control: max-age=600\r\n\r\n".encode() + BODY)
    answer = get(url)
    assert answer.body == BODY and answer.complete and answer.version == "HTTP/1.1"
    until(lambda: "; hit" in get(url).headers["Cache-Status"], "it is kept")
    assert get(url).headers["Content-Length"] == str(len(BODY))


def test_chunks_are_put_together(edge):
    url = says(edge, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nCache-Control: max-age=600\r\n\r\n"
               b"5;name=\"v;\"\r\nhello\r\n006\r\n world\r\n0\r\n\r\n", stays=True)
    assert get(url).body == b"hello world"
    assert get(url).body == b"hello world" and asked(edge, url) == 1


@pytest.mark.parametrize("chunks", [b"4\r\nbo", b"4\r\nbodyx\r\n0\r\n\r\n", b"zz\r\n", b"4\r\nbody\r\n",
                                    b"4\r\nbody\r\n0\r\n", b"-1\r\n", b"4 \r\nbody\r\n0\r\n\r\n"])
def test_broken_chunks_never_pass_for_a_whole(edge, chunks):
    url = says(edge, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=600\r\n\r\n",
               chunks)
    assert never_whole(url) and never_whole(url)


# ---- content where there is none -----------------------------------------------

@pytest.mark.parametrize("status", [204, 304])
def test_content_after_a_status_that_has_none_is_no_answer_to_what_follows(edge, status):
    bare = f"HTTP/1.1 {status} X\r\nCache-Control: no-store\r\nETag: \"1\"\r\n\r\n".encode()
    url = says(edge, bare + HEAD + b"it was never asked for", stays=True)
    answer = get(url, headers={"If-None-Match": '"1"', "If-Match": "*"})
    assert answer.status == status and answer.body == b""
    assert get(says(edge, HEAD + BODY)).body == BODY


def test_more_than_was_announced_is_no_answer_to_what_follows(edge):
    url = says(edge, HEAD + BODY + HEAD + b"it was never asked for", stays=True)
    assert get(url).body == BODY
    assert get(says(edge, HEAD + BODY)).body == BODY


@pytest.mark.parametrize("framing", ["Content-Length: 400", "Transfer-Encoding: chunked"])
def test_lengths_of_what_is_not_sent_are_not_waited_for(edge, framing):
    url = says(edge, f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode(), stays=True)
    assert get(url, "HEAD").status == 200
    assert get(says(edge, HEAD + BODY, stays=True)).body == BODY


def test_a_validation_that_tells_a_length_leaves_that_of_what_is_kept(edge):
    path = f"/{next(NAMES)}"

    def script(exchange):
        if "If-None-Match" in exchange.request.headers:
            exchange.head(304, {"ETag": '"1"', "Content-Length": 400, "X-New": "1"})
        else:
            exchange.reply(200, BODY, {"Cache-Control": "max-age=0", "ETag": '"1"'})
    edge.origin.on(path, script)
    get(edge.url + path)
    answer = get(edge.url + path)
    assert answer.body == BODY and answer.complete and answer.headers["X-New"] == "1"


def test_what_has_no_content_has_no_length(edge):
    url = says(edge, b"HTTP/1.1 204 No\r\nContent-Length: 0\r\nCache-Control: max-age=600\r\n\r\n",
               stays=True)
    for _ in range(2):
        answer = get(url)
        assert answer.status == 204 and "Content-Length" not in answer.headers


# ---- dates -------------------------------------------------------------------

@pytest.mark.parametrize("said", ["max-age=600", "no-store"])
def test_what_has_no_date_is_given_one(edge, said):
    url = says(edge, f"HTTP/1.1 200 OK\r\nCache-Control: {said}\r\nContent-Length: 0\r\n\r\n".encode(),
               stays=True)
    for _ in range(2):
        assert len(get(url).headers.all("Date")) == 1


def test_a_date_is_passed_as_it_is(edge):
    date = "Tue, 15 Nov 1994 12:45:26 GMT"
    for said in "max-age=2000000000", "no-store":
        url = says(edge, f"HTTP/1.1 200 OK\r\nCache-Control: {said}\r\nDate: {date}\r\n"
                         "Content-Length: 0\r\n\r\n".encode(), stays=True)
        for _ in range(2):
            assert get(url).headers.all("Date") == [date]


# ---- trailers ----------------------------------------------------------------

def chunked(trailers):
    return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-After\r\n"
            b"Cache-Control: max-age=600\r\n\r\n4\r\nbody\r\n0\r\n" + trailers + b"\r\n")


def test_trailers_are_read_and_dropped(edge):
    url = says(edge, chunked(b"X-After: 1\r\nETag: \"t\"\r\nCache-Control: no-store\r\n"), stays=True)
    for _ in range(2):
        answer = get(url)
        assert answer.body == b"body" and answer.complete
        assert not {"X-After", "ETag", "Trailer"} & {name for name, _ in answer.headers}
        assert answer.headers["Cache-Control"] == "max-age=600"
    assert asked(edge, url) == 1


@pytest.mark.parametrize("trailers", [b"X: " + b"a" * 9000 + b"\r\n", b"no colon\r\n"],
                         ids=["too long", "malformed"])
def test_trailers_that_are_too_long_or_malformed_make_the_body_a_cut_one(edge, trailers):
    url = says(edge, chunked(trailers))
    assert never_whole(url) and never_whole(url)


def test_trailers_of_a_request_go_no_further(edge):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(200, e.request.body))
    with Client(edge.port) as client:
        client.request(path, "POST", {"Transfer-Encoding": "chunked", "Trailer": "X-T"})
        client.send(b"4\r\nbody\r\n0\r\nX-T: 1\r\nAuthorization: x\r\n\r\n")
        assert client.read("POST").body == b"body"
    sent = {name for name, _ in edge.origin.requests(path)[0].headers}
    assert not {"X-T", "Authorization", "Trailer"} & sent


# ---- parts -------------------------------------------------------------------

@pytest.mark.parametrize("fields", [
    "", "Content-Range: bytes 9-5/100\r\n", "Content-Range: bytes 0-3/2\r\n",
    "Content-Range: bytes 50-53/100\r\n", "Content-Range: items 0-3/4\r\n",
    "Content-Type: multipart/byteranges; boundary=x\r\n"])
def test_a_part_that_is_not_what_was_asked_for_is_refused(edge, fields):
    url = says(edge, f"HTTP/1.1 206 Part\r\n{fields}Content-Length: 4\r\n"
                     "Cache-Control: max-age=600\r\nETag: \"1\"\r\n\r\nbody".encode())
    answer = get(url, span=(0, 3))
    assert answer.status == 502 and "; hit" not in get(url, span=(0, 3)).headers["Cache-Status"]


@pytest.mark.parametrize("status", [206, 304])
def test_an_answer_to_what_was_not_asked_is_refused(edge, status):
    url = says(edge, f"HTTP/1.1 {status} X\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n"
                     "ETag: \"1\"\r\n\r\n".encode() + (b"body" if status == 206 else b""))
    assert is_refused(url)
