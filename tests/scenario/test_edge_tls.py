"""Players over TLS: what they agree on, what is refused, and certificates that are replaced."""
import re
import socket
import ssl
import subprocess
import time

import pytest
from lab import BUILD, Client, Cut, get, until
from lab_tls import TlsClient, context, entry, tls_edge, versions

VERSIONS = versions()
HAS_13 = ssl.TLSVersion.TLSv1_3 in VERSIONS

SEGMENT = bytes(i * 7 % 251 for i in range(1 << 20))


@pytest.fixture(scope="module")
def pairs(authority):
    return [authority.issue("a.example", ["a.example", "*.b.example"]),
            authority.issue("a.example", kind="rsa"), authority.issue("c.example")]


@pytest.fixture(scope="module")
def origin(module_lab):
    origin = module_lab.scripted_origin()
    origin.put("/seg.m4s", SEGMENT)
    return origin


@pytest.fixture(scope="module")
def edge(module_lab, origin, pairs):
    return tls_edge(module_lab, origin, entry("players", pairs))


# ---- what comes through -----------------------------------------------------

@pytest.mark.parametrize("version", VERSIONS)
def test_a_segment_comes_whole_and_in_parts(edge, authority, version):
    with TlsClient(edge.tls_port, "a.example", context(authority, version=version)) as client:
        assert client.sock.version() == version.name.replace("v1_", "v1.")
        for _ in range(2):
            answer = client.get("/seg.m4s")
            assert answer.status == 200 and answer.body == SEGMENT
        assert "hit" in answer.headers["Cache-Status"]
        part = client.get("/seg.m4s", headers=[("Range", "bytes=100000-100099")])
        assert part.status == 206 and part.body == SEGMENT[100000:100100]


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"])
@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_every_cipher_carries_a_segment(edge, authority, kind, cipher):
    trust = context(authority, ciphers=f"ECDHE-{kind}-{cipher}")
    with TlsClient(edge.tls_port, "a.example", trust) as client:
        assert client.sock.cipher()[:2] == (f"ECDHE-{kind}-{cipher}", "TLSv1.2")
        assert client.get("/seg.m4s").body == SEGMENT


def s_client(edge, authority, *args, text):
    """What `openssl s_client` gets for `text`, and says."""
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{edge.tls_port}",
                           "-servername", "a.example", "-CAfile", authority.path, *args],
                          input=text, capture_output=True, check=False, timeout=60)


CIPHERS = [("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")] + HAS_13 * [
    ("-tls1_3", "-ciphersuites", f"TLS_{name}")
    for name in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")]


@pytest.mark.parametrize("cipher", CIPHERS)
def test_openssl_gets_a_segment(edge, authority, cipher):
    got = s_client(edge, authority, *cipher, "-quiet", "-ign_eof",
                   text=b"GET /seg.m4s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert got.stdout.endswith(SEGMENT), got.stderr


if HAS_13:
    @pytest.mark.parametrize("command", [b"k", b"K"])
    def test_keys_are_updated_as_the_peer_asks(edge, authority, command):
        got = s_client(edge, authority, "-tls1_3", text=command + b"\nQ\n")
        assert b"KEYUPDATE" in got.stdout + got.stderr
        assert b"alert" not in got.stderr, got.stderr


@pytest.mark.parametrize("name, serial", [("a.example", 1), ("x.b.example", 1), ("c.example", 3)])
def test_the_name_selects_the_certificate(edge, authority, name, serial):
    with TlsClient(edge.tls_port, name, authority) as client:
        assert client.serial == serial


def test_another_name_gets_the_first_certificate(edge, authority):
    trust = context(authority)
    trust.check_hostname = False
    with TlsClient(edge.tls_port, "nobody.example", trust) as client:
        assert client.serial == 1


def test_http_1_is_agreed_on(edge, authority):
    trust = context(authority, protocols=["spdy/3", "http/1.1"])
    with TlsClient(edge.tls_port, "a.example", trust) as client:
        assert client.sock.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_resumes_with_every_worker(edge, authority, version):
    trust = context(authority, version=version)
    before = edge.metric('tls_handshakes_total{kind="resumed",server="forebay-edge"}')
    with TlsClient(edge.tls_port, "a.example", trust) as client:
        assert client.get("/seg.m4s").status == 200
        session = client.sock.session
    for _ in range(8):
        with TlsClient(edge.tls_port, "a.example", trust, session=session) as client:
            assert client.sock.session_reused
            assert client.get("/seg.m4s").body == SEGMENT
    after = edge.metric('tls_handshakes_total{kind="resumed",server="forebay-edge"}')
    assert after - before == 8


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "AES256-GCM-SHA384",
                                    "CHACHA20-POLY1305"])
def test_openssl_opens_what_is_sealed_with_every_cipher(edge, authority, cipher):
    trust = context(authority, ciphers=f"ECDHE-ECDSA-{cipher}:ECDHE-RSA-{cipher}")
    rows = [f'tls_connections_total{{sealer="{sealer}",server="forebay-edge"}}'
            for sealer in ("kernel", "gcrypt", "ipsec-mb", "mbedtls")]
    before = sum(map(edge.metric, rows))
    with TlsClient(edge.tls_port, "a.example", trust) as client:
        assert client.sock.cipher()[0].endswith(cipher)
        for _ in range(3):
            assert client.get("/seg.m4s").body == SEGMENT
    assert sum(map(edge.metric, rows)) > before


@pytest.mark.parametrize("version", VERSIONS)
def test_gnutls_gets_a_segment(edge, authority, version):
    priority = "NORMAL:-VERS-ALL:+VERS-TLS" + version.name.replace("TLSv1_", "1.")
    request = b"GET /seg.m4s HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
    got = subprocess.run(["gnutls-cli", "--logfile=/dev/null", "--x509cafile", authority.path,
                          "--priority", priority, "--sni-hostname", "a.example",
                          "--verify-hostname", "a.example", "-p", str(edge.tls_port), "127.0.0.1"],
                         input=request, capture_output=True, check=False, timeout=60)
    assert got.stdout.endswith(SEGMENT), got.stderr


# ---- what is refused --------------------------------------------------------

def test_plain_http_is_told_so(edge):
    with Client(edge.tls_port) as client:
        client.request("/seg.m4s")
        answer = client.read()
        assert answer.status == 400 and "https" in answer.json()["detail"]


def test_tls_on_a_plain_port_is_told_so(edge, authority):
    for _ in range(2):
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            TlsClient(edge.port, "a.example", authority)
    with socket.create_connection(("127.0.0.1", edge.port), 20) as sock:
        sock.sendall(b"\x16")
        assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert "a client speaks TLS to an address without" in edge.log()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(edge, authority, version):
    trust = context(authority, ciphers="DEFAULT@SECLEVEL=0")
    trust.minimum_version = trust.maximum_version = version
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        TlsClient(edge.tls_port, "a.example", trust)


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
                                    "DHE-RSA-AES128-GCM-SHA256"])
def test_ciphers_without_forward_secrecy_or_seal_are_refused(edge, authority, cipher):
    with pytest.raises(ssl.SSLError, match="ALERT_HANDSHAKE_FAILURE"):
        TlsClient(edge.tls_port, "a.example", context(authority, ciphers=cipher))


def test_renegotiation_ends_the_connection(edge, authority):
    got = s_client(edge, authority, "-tls1_2", text=b"R\n")
    assert b"RENEGOTIATING" in got.stdout + got.stderr
    assert b"no renegotiation" in got.stderr and got.returncode != 0


def test_noise_costs_a_connection_and_no_more(edge, authority):
    for noise in (b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", b"\x00" * 100,
                  b"\x15\x03\x03\x00\x02\x02\x28"):
        with socket.create_connection(("127.0.0.1", edge.tls_port), 20) as sock:
            sock.sendall(noise)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
    with TlsClient(edge.tls_port, "a.example", authority) as client:
        assert client.get("/seg.m4s").status == 200


# ---- certificates of clients ------------------------------------------------

def test_a_tier_below_shows_its_certificate(lab, origin, authority, stranger, pairs):
    edge = tls_edge(lab, origin, entry("players", pairs[:1], authorities=authority.path))
    own = context(authority, own=authority.issue("node-7"))
    with TlsClient(edge.tls_port, "a.example", own) as client:
        assert client.get("/seg.m4s").body == SEGMENT
    for trust in (context(authority), context(authority, own=stranger.issue("node-7"))):
        with pytest.raises((ssl.SSLError, ConnectionError, Cut)):
            TlsClient(edge.tls_port, "a.example", trust).get("/seg.m4s")
    assert edge.metric('tls_failures_total{cause="denied",server="forebay-edge"}') == 2


# ---- what is told ----------------------------------------------------------

def test_browsers_are_told_to_come_over_tls_alone(lab, origin, authority, pairs):
    origin.put("/page", b"x", headers=[("Strict-Transport-Security", "max-age=1")])
    sites = ("sites:\n  - hosts: [a.example]\n    hsts: {max_age: 365d, include_subdomains: true, "
             "preload: true}\n")
    edge = tls_edge(lab, origin, entry("players", pairs), extra=sites)
    with TlsClient(edge.tls_port, "a.example", authority) as client:
        for target, status in (("/page", 200), ("/none", 404)):
            answer = client.get(target, headers=[("Host", "a.example")])
            assert answer.status == status
            assert answer.headers.all("Strict-Transport-Security") == [
                "max-age=31536000; includeSubDomains; preload"]
    plain = get(edge.url + "/page", headers=[("Host", "a.example")])
    assert "Strict-Transport-Security" not in plain.headers


def test_status_shows_what_seals_and_when_certificates_end(edge):
    status = edge.status()
    assert [one["name"] for one in status["tls"]] == ["players"]
    assert status["tls"][0]["expires"].endswith("Z")
    left_s = edge.metric('tls_certificate_expires_seconds{tls="players"}') - time.time()
    assert 28 * 86400 < left_s < 31 * 86400
    assert set(status["sealers"]) == {"aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"}


def test_operators_show_a_certificate(lab, origin, authority, pairs):
    edge = lab.edge(upstreams=[origin.url], start=False,
                    extra="tls:\n" + entry("staff", pairs[:1], authorities=authority.path))
    config = edge.config_path.read_text()
    edge.config_path.write_text(config.replace("admin:\n", "admin:\n  tls: staff\n"))
    edge.start(wait=False)
    until(lambda: "admin address open" in edge.log(), "it listens")
    own = context(authority, own=authority.issue("operator"))
    with TlsClient(edge.admin_port, "a.example", own) as client:
        assert client.get("/healthz").status == 200
    with pytest.raises((ssl.SSLError, ConnectionError, Cut)):
        TlsClient(edge.admin_port, "a.example", authority).get("/healthz")


# ---- replacing certificates -------------------------------------------------

def reload(edge):
    return get(edge.admin + "/reload", method="POST")


def test_a_reload_replaces_certificates_and_drops_nobody(lab, origin, authority):
    pair = authority.issue("a.example")
    edge = tls_edge(lab, origin, entry("players", [pair]))
    trust = context(authority)
    with TlsClient(edge.tls_port, "a.example", trust) as old:
        assert old.get("/seg.m4s").body == SEGMENT
        authority.issue("a.example", to=pair)
        assert reload(edge).json() == {"reloaded": True, "restart_needed": []}
        with TlsClient(edge.tls_port, "a.example", trust) as new:
            assert new.serial == old.serial + 1
            assert new.get("/seg.m4s").body == SEGMENT
        with TlsClient(edge.tls_port, "a.example", trust, session=old.sock.session) as resumed:
            assert resumed.sock.session_reused
        assert old.get("/seg.m4s").body == SEGMENT


def test_a_bad_certificate_changes_nothing(lab, origin, authority, stranger):
    pair = authority.issue("a.example")
    edge = tls_edge(lab, origin, entry("players", [pair]))
    good = pair[1].read_bytes()
    pair[1].write_bytes(stranger.issue("a.example")[1].read_bytes())
    answer = reload(edge)
    assert answer.status == 422 and "is not that of the certificate" in answer.json()["detail"]
    with TlsClient(edge.tls_port, "a.example", authority) as client:
        assert client.get("/seg.m4s").status == 200
    pair[1].write_bytes(good)
    assert reload(edge).status == 200


@pytest.mark.parametrize("old, new, words", [
    ("tls: players", "tls: nobody", "there is no 'nobody' among 'tls'"),
    ("/1.key", "/none.key", "none.key"),
    ("name: players", "name: players\n    ciphers: [RC4]", "there is no cipher 'RC4'"),
    *[("name: players", "name: players\n    min_version: 1.3", "TLS 1.3 is not available")
      for _ in range(not HAS_13)],
    ("/1.key", "/1.pem", "holds no private key"),
])
def test_check_names_what_is_wrong(lab, edge, old, new, words):
    path = lab.dir / "edge.yaml"
    path.write_text(edge.config_path.read_text().replace(old, new))
    got = subprocess.run([BUILD / "forebay-edge", "--check", "--config", path],
                         capture_output=True, text=True, check=False)
    told = rf"edge\.yaml:\d+:\d+: .*{re.escape(words)}"
    assert got.returncode == 2 and re.search(told, got.stderr), got.stderr


@pytest.mark.parametrize("mode, n", [(0o640, 0), (0o644, 1)])
def test_a_private_key_that_everybody_can_read_is_told(lab, origin, authority, mode, n):
    pair = authority.issue("a.example")
    pair[1].chmod(mode)
    edge = tls_edge(lab, origin, entry("players", [pair]))
    got = subprocess.run([BUILD / "forebay-edge", "--check", "--config", edge.config_path],
                         capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stderr
    told = "everybody on this machine can read a private key"
    assert [got.stderr.count(told), edge.log().count(told)] == [n, n]


# ---- crowds -----------------------------------------------------------------

def test_handshakes_of_one_address_leave_room_for_others(lab, origin, authority, pairs):
    """600 that begin one and say no more would fill a queue of 512."""
    edge = tls_edge(lab, origin, entry("players", pairs))
    hello = ssl.MemoryBIO()
    begun = context(authority).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="a.example")
    with pytest.raises(ssl.SSLWantReadError):
        begun.do_handshake()
    first = hello.read()
    crowd = []
    try:
        for _ in range(600):
            crowd.append(socket.create_connection(("127.0.0.1", edge.tls_port), 20,
                                                  source_address=("127.0.0.2", 0)))
            crowd[-1].sendall(first)
        with TlsClient(edge.tls_port, "a.example", authority) as client:
            assert client.get("/seg.m4s").body == SEGMENT
    finally:
        for sock in crowd:
            sock.close()
