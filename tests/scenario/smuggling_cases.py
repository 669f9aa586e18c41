"""Bytes that some reader somewhere takes for another message than another reader
does, and what a strict server makes of them.

Each case is (name, bytes, outcome). An outcome is
    refused(status)  one response with this status, then the end of the connection
    broken           the head is fine and the content is not: one response, whatever
                     it is, then the end
    taken(n)         n responses, none of which says that the request was malformed,
                     and the connection goes on
    silent           no response, the end

Where a second request stands behind the first, it is what an attacker would
smuggle; GET /smuggled must never be answered after a refusal.
"""
refused = lambda status: ("refused", status)  # noqa: E731
taken = lambda n: ("taken", n)  # noqa: E731
broken, silent = ("broken",), ("silent",)

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def head(*lines, first=b"GET / HTTP/1.1", host=b"Host: a"):
    fields = ([host] if host else []) + list(lines)
    return b"\r\n".join([first, *fields]) + b"\r\n\r\n"


def post(*lines, content=b""):
    return head(*lines, first=b"POST / HTTP/1.1") + content


CHUNKED = b"Transfer-Encoding: chunked"


def chunks(content):
    return post(CHUNKED, content=content)


CASES = [
    # lines
    ("bare LF ends lines", b"GET / HTTP/1.1\nHost: a\n\n" + SMUGGLED, refused(400)),
    ("bare LF ends one line", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n" + SMUGGLED, refused(400)),
    ("bare LF ends the head", b"GET / HTTP/1.1\r\nHost: a\r\n\n" + SMUGGLED, refused(400)),
    ("bare CR in a value", head(b"X: a\rb") + SMUGGLED, refused(400)),
    ("bare CR ends a line", b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", refused(400)),
    ("CR CR LF", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", refused(400)),
    ("folded value", head(b"X: a", b" b") + SMUGGLED, refused(400)),
    ("folded by a tab", head(b"X: a", b"\tb") + SMUGGLED, refused(400)),
    ("folded Transfer-Encoding", post(b"Transfer-Encoding:", b" chunked") + SMUGGLED, refused(400)),
    ("space before the first field", head(b"X: y", host=b" Host: a"), refused(400)),
    ("NUL in a value", head(b"X: a\0b"), refused(400)),
    ("NUL in a name", head(b"X\0: a"), refused(400)),
    ("control byte in a value", head(b"X: a\x08"), refused(400)),
    ("DEL in a value", head(b"X: a\x7f"), refused(400)),
    ("vertical tab before a value", post(b"Transfer-Encoding:\x0bchunked"), refused(400)),

    # names
    ("space before the colon", head(b"X : y") + SMUGGLED, refused(400)),
    ("space in Content-Length's name", post(b"Content-Length : 5", content=b"GET /"), refused(400)),
    ("tab before the colon", post(b"Transfer-Encoding\t: chunked") + SMUGGLED, refused(400)),
    ("no colon", head(b"Transfer-Encoding chunked"), refused(400)),
    ("empty name", head(b": y"), refused(400)),
    ("quote in a name", head(b"\"X\": y"), refused(400)),
    ("byte over 127 in a name", head(b"X\xe9: y"), refused(400)),

    # Content-Length
    ("Content-Length twice", post(b"Content-Length: 0", b"Content-Length: 0"), refused(400)),
    ("Content-Length conflicts", post(b"Content-Length: 0", b"Content-Length: 35",
                                      content=SMUGGLED), refused(400)),
    ("Content-Length as a list", post(b"Content-Length: 0, 0"), refused(400)),
    ("Content-Length with a plus", post(b"Content-Length: +0"), refused(400)),
    ("Content-Length below zero", post(b"Content-Length: -1"), refused(400)),
    ("Content-Length in hexadecimal", post(b"Content-Length: 0x5", content=b"GET /"), refused(400)),
    ("Content-Length with a fraction", post(b"Content-Length: 5.0", content=b"GET /"),
     refused(400)),
    ("Content-Length with a space inside", post(b"Content-Length: 1 0"), refused(400)),
    ("Content-Length empty", post(b"Content-Length:"), refused(400)),
    ("Content-Length over 64 bits", post(b"Content-Length: 18446744073709551617"), refused(400)),
    ("Content-Length over 63 bits", post(b"Content-Length: 9223372036854775808"), refused(400)),
    ("Content-Length in quotes", post(b"Content-Length: \"5\""), refused(400)),

    # Transfer-Encoding
    ("length then chunked", post(b"Content-Length: 5", CHUNKED,
                                 content=b"0\r\n\r\n" + SMUGGLED), refused(400)),
    ("chunked then length", post(CHUNKED, b"Content-Length: 5",
                                 content=b"0\r\n\r\n" + SMUGGLED), refused(400)),
    ("unknown coding with a length", post(b"Content-Length: 5", b"Transfer-Encoding: x",
                                          content=b"01234"), refused(400)),
    ("chunked twice", post(CHUNKED, CHUNKED, content=b"0\r\n\r\n"), refused(400)),
    ("chunked, chunked", post(b"Transfer-Encoding: chunked, chunked"), refused(400)),
    ("chunked, identity", post(b"Transfer-Encoding: chunked, identity",
                               content=b"0\r\n\r\n" + SMUGGLED), refused(400)),
    ("identity", post(b"Transfer-Encoding: identity"), refused(400)),
    ("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", content=b"0\r\n\r\n"),
     refused(400)),
    ("xchunked", post(b"Transfer-Encoding: xchunked", content=b"0\r\n\r\n"), refused(400)),
    ("chunked in quotes", post(b"Transfer-Encoding: \"chunked\""), refused(400)),
    ("chunked with a parameter", post(b"Transfer-Encoding: chunked;q=1"), refused(400)),
    ("empty coding", post(b"Transfer-Encoding:"), refused(400)),
    ("chunked in HTTP/1.0", head(CHUNKED, first=b"POST / HTTP/1.0") + b"0\r\n\r\n", refused(400)),

    # Host
    ("no Host", head(host=None) + SMUGGLED, refused(400)),
    ("Host twice", head(b"Host: a"), refused(400)),
    ("two Hosts", head(b"Host: b"), refused(400)),
    ("Host empty", head(host=b"Host:"), refused(400)),
    ("Host as a list", head(host=b"Host: a, b"), refused(400)),
    ("Host with a path", head(host=b"Host: a/b"), refused(400)),
    ("Host with a user", head(host=b"Host: u@a"), refused(400)),
    ("Host with a strange port", head(host=b"Host: a:80x"), refused(400)),

    # the request line
    ("two spaces before the target", head(first=b"GET  / HTTP/1.1"), refused(400)),
    ("two spaces before the version", head(first=b"GET /  HTTP/1.1"), refused(400)),
    ("space inside the target", head(first=b"GET / a HTTP/1.1"), refused(400)),
    ("tab for a space", head(first=b"GET\t/\tHTTP/1.1"), refused(400)),
    ("space after the version", head(first=b"GET / HTTP/1.1 "), refused(400)),
    ("version in lower case", head(first=b"GET / http/1.1"), refused(400)),
    ("version of two digits", head(first=b"GET / HTTP/1.10"), refused(400)),
    ("no version", b"GET /\r\n\r\n", refused(400)),
    ("no target", head(first=b"GET HTTP/1.1"), refused(400)),
    ("relative target", head(first=b"GET a HTTP/1.1"), refused(400)),
    ("fragment in the target", head(first=b"GET /#a HTTP/1.1"), refused(400)),
    ("byte over 127 in the target", head(first=b"GET /\xff HTTP/1.1"), refused(400)),
    ("star for GET", head(first=b"GET * HTTP/1.1"), refused(400)),
    ("foreign scheme", head(first=b"GET ftp://a/ HTTP/1.1"), refused(400)),
    ("user in the authority", head(first=b"GET http://u@a/ HTTP/1.1"), refused(400)),
    ("method with a comma", head(first=b"GET,POST / HTTP/1.1"), refused(400)),
    ("CONNECT", head(first=b"CONNECT a:443 HTTP/1.1", host=b"Host: a:443"), refused(501)),
    ("HTTP/2 with a field before its preface ends", head(first=b"PRI * HTTP/2.0"), refused(505)),
    ("HTTP/1.2", head(first=b"GET / HTTP/1.2"), refused(505)),
    ("HTTP/3.0", head(first=b"GET / HTTP/3.0"), refused(505)),
    ("RTSP", head(first=b"DESCRIBE / RTSP/1.0"), refused(400)),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", refused(400)),
    ("many empty lines first", b"\r\n" * 20 + SMUGGLED, refused(400)),

    # limits
    ("a target of 40 KB", b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", refused(414)),
    ("a field of 40 KB", head(b"X: " + b"a" * 40000), refused(431)),
    ("200 fields", head(*[b"X: y"] * 200), refused(431)),
    ("another expectation", head(b"Expect: wonders"), refused(417)),

    # chunks
    ("chunk size with 0x", chunks(b"0x5\r\nGET /\r\n0\r\n\r\n"), broken),
    ("chunk size below zero", chunks(b"-1\r\nabc\r\n0\r\n\r\n"), broken),
    ("chunk size of 17 digits", chunks(b"10000000000000000\r\nabc\r\n0\r\n\r\n"), broken),
    ("chunk size over 63 bits", chunks(b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n"), broken),
    ("no chunk size", chunks(b"\r\nabc\r\n0\r\n\r\n"), broken),
    ("chunk longer than its size", chunks(b"1\r\nabc\r\n0\r\n\r\n" + SMUGGLED), broken),
    ("chunk line ended by LF", chunks(b"3\nabc\r\n0\r\n\r\n" + SMUGGLED), broken),
    ("chunk ended by LF", chunks(b"3\r\nabc\n0\r\n\r\n" + SMUGGLED), broken),
    ("chunk extension with LF", chunks(b"3;a\nb\r\nabc\r\n0\r\n\r\n" + SMUGGLED), broken),
    ("chunk extension with CR", chunks(b"3;a\rb\r\nabc\r\n0\r\n\r\n" + SMUGGLED), broken),
    ("chunk extension without end", chunks(b"3;" + b"a" * 5000), broken),
    ("last chunk ended by LF", chunks(b"0\r\n\n" + SMUGGLED), broken),
    ("space before the chunk size", chunks(b" 3\r\nabc\r\n0\r\n\r\n"), broken),
    ("trailer with a space before the colon", chunks(b"0\r\nX : y\r\n\r\n" + SMUGGLED), broken),
    ("trailer folded", chunks(b"0\r\nX: y\r\n z\r\n\r\n" + SMUGGLED), broken),
    ("trailers without end", chunks(b"0\r\n" + b"X: y\r\n" * 5000), broken),

    # what is unusual, and clear
    ("a plain request", head(), taken(1)),
    ("two in one packet", head() + head(first=b"GET /2 HTTP/1.1"), taken(2)),
    ("an empty line first", b"\r\n" + head(), taken(1)),
    ("absolute form", head(first=b"GET http://b/x HTTP/1.1"), taken(1)),
    ("HTTP/1.0 kept alive", head(b"Connection: keep-alive", first=b"GET / HTTP/1.0"),
     taken(1)),
    ("an upgrade is passed over", head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
                                       b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"), taken(1)),
    ("content that looks like a request", post(b"Content-Length: %d" % len(SMUGGLED), content=SMUGGLED),
     taken(1)),
    ("chunks that look like a request", chunks(b"%x\r\n" % len(SMUGGLED) + SMUGGLED +
                                             b"\r\n0\r\n\r\n"), taken(1)),
    ("chunks with extensions and trailers",
     chunks(b"3;a=\"b\"\r\nabc\r\n00;x\r\nX: y\r\n\r\n") + head(), taken(2)),
    ("content on GET", head(b"Content-Length: 3") + b"abc" + head(), taken(2)),

    # nothing to answer
    ("half a head", b"GET / HTTP/1.1\r\nHos", silent),
    ("nothing", b"", silent),
]
