"""Load: wrk and h2load for what they can do, sockets for the rest. Everything here runs on the
core that the server does not have."""
import pathlib
import re
import resource
import selectors
import socket
import ssl
import subprocess
import threading
import time

from servers import LOAD_CPU

# Each request is for a random one of many objects.
WRK_SCRIPT = """
local requests = {}
function init(args)
    for path in io.lines("%(list)s") do requests[#requests + 1] = wrk.format("GET", path) end
    math.randomseed(%(seed)d)
end
function request() return requests[math.random(#requests)] end
"""


def pinned(command, cpu=LOAD_CPU):
    done = subprocess.run(["taskset", "-c", str(cpu), *map(str, command)],
                          capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def wrk(url, seconds, connections, script=None, cpu=LOAD_CPU):
    """How many requests were answered."""
    out = pinned(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
                  *(["-s", script] if script else []), url], cpu)
    assert "Non-2xx" not in out, out
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", out)
    assert not errors or not any(map(int, errors.groups())), out
    return int(re.search(r"(\d+) requests in", out)[1])


def wrk_script(folder, name, paths):
    """A script for wrk that asks for `paths` at random."""
    listed = pathlib.Path(folder) / f"{name}.paths"
    listed.write_text("".join(path + "\n" for path in paths))
    script = pathlib.Path(folder) / f"{name}.lua"
    script.write_text(WRK_SCRIPT % {"list": listed, "seed": 7})
    return script


def h2load(url, seconds, clients, streams):
    out = pinned(["h2load", f"-c{clients}", f"-m{streams}", f"-D{seconds}", "-w24", "-W28", url])
    found = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", out)
    assert found and found[2] == "0" and found[3] == "0", out
    return int(found[1])


# ---- a few requests, counted ------------------------------------------------

def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ask(sock, path, port=None):
    # As wrk writes it who comes to `port`: caches have a copy for each.
    host = "127.0.0.1:%d" % (port or sock.getpeername()[1])
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())


def read_head(sock):
    """(head, bytes of the body that came with it)."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        assert piece, f"the connection was cut: {data[:200]}"
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    return head, body


def length_of(head):
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
    return int(found[1]) if found else None


def read_chunked(sock, data):
    """The length of a body in chunks."""
    total = 0
    while True:
        while b"\r\n" not in data:
            data += sock.recv(1 << 20)
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        while len(data) < size + 2:
            data += sock.recv(1 << 20)
        data = data[size + 2:]
        total += size
        if size == 0:
            return total


def fetch(sock, path, into=bytearray(1 << 20), port=None):
    """(head, bytes) of one answer, whose body is thrown away."""
    ask(sock, path, port)
    head, body = read_head(sock)
    length = length_of(head)
    if length is None:
        return head, read_chunked(sock, body)
    left = length - len(body)
    while left > 0:
        n = sock.recv_into(into, min(left, len(into)))
        assert n, "the connection was cut"
        left -= n
    return head, length


def fetch_all(port, paths, threads=1, named=None):
    """Every path once, of the host with the port `named`; returns (bytes, heads)."""
    results = []

    def work(share):
        into = bytearray(1 << 20)
        with connect(port) as sock:
            for path in share:
                results.append(fetch(sock, path, into, named))

    workers = [threading.Thread(target=work, args=(paths[i::threads],)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == len(paths), "a loader failed"
    return sum(length for _, length in results), [head for head, _ in results]


# ---- connections ------------------------------------------------------------

def open_idle(port, path, count, scheme):
    """Connections that have had one answer each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    opened, context = [], tls_context("http/1.1")
    for _ in range(count):
        sock = connect(port)
        if scheme == "https":
            sock = context.wrap_socket(sock)
        fetch(sock, path)
        opened.append(sock)
    return opened


def followers(port, path, count, spread_ms=0):
    """`count` clients ask for one cold object: (first bytes, last bytes), in ms from the start,
    sorted."""
    socks, firsts, lasts, got = [], [], [], {}
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            sock = connect(port)
            socks.append(sock)
            selector.register(sock, selectors.EVENT_READ)
        start = time.monotonic()
        for sock in socks:
            ask(sock, path)
            sock.setblocking(False)
        into = bytearray(1 << 18)
        while len(lasts) < count:
            for key, _ in selector.select(60):
                sock = key.fileobj
                n = sock.recv_into(into)
                now = (time.monotonic() - start) * 1000
                assert n, "the connection was cut"
                if sock not in got:
                    head, _, body = bytes(into[:n]).partition(b"\r\n\r\n")
                    firsts.append(now)
                    length = length_of(head)
                    got[sock] = [len(body), length, bytes(into[n - 5:n])]
                else:
                    got[sock][0] += n
                    got[sock][2] = (got[sock][2] + bytes(into[max(0, n - 5):n]))[-5:]
                have, length, tail = got[sock]
                if have == length or (length is None and tail == b"0\r\n\r\n"):
                    lasts.append(now)
                    selector.unregister(sock)
                    sock.close()
    return sorted(firsts), sorted(lasts)


def tls_context(*protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(protocols)
    return context


def negotiated(port):
    """The protocol that a server picks."""
    with tls_context("h2", "http/1.1").wrap_socket(connect(port)) as sock:
        return sock.selected_alpn_protocol()


def handshakes(port, count, resumed):
    """TLS connections one after the other."""
    context = tls_context("http/1.1")
    session, n_resumed = None, 0
    for _ in range(count):
        with context.wrap_socket(connect(port), session=session if resumed else None) as sock:
            n_resumed += sock.session_reused
            session = sock.session
    assert not resumed or n_resumed >= count - 1, f"{n_resumed} of {count} were resumed"
    return count
