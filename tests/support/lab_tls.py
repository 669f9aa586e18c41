"""TLS for scenarios: an authority, what it signs, and clients by OpenSSL.

    authority = Authority(lab.dir / "ca")
    pair = authority.issue("a.example", ["a.example", "*.b.example"])
    edge = tls_edge(lab, origin, tls=entry("players", [pair]))
    with TlsClient(edge.tls_port, "a.example", authority) as client:
        client.request("/v/seg-1.m4s")
"""
import socket
import ssl
import subprocess

from lab import BUILD
from lab_wire import PATIENCE, Client, Wire, free_port


def openssl(*args, text=None):
    return subprocess.run(["openssl", *map(str, args)], input=text, capture_output=True, check=True,
                          text=True).stdout


class Authority:
    """Signs certificates; `path` is its own, for clients to trust."""

    def __init__(self, folder, name="Authority"):
        self.dir, self.n = folder, 0
        folder.mkdir()
        self.key, self.path = folder / "ca.key", folder / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key, "-out", self.path, "-subj", f"/CN={name}", "-days", 30,
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, names=(), kind="ecdsa", to=None):
        """A pair of files, chain and key; `to` is a pair that is replaced."""
        self.n += 1
        chain, key = to or (self.dir / f"{self.n}.pem", self.dir / f"{self.n}.key")
        how = {"ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
               "rsa": ["-newkey", "rsa:2048"]}[kind]
        openssl("req", *how, "-nodes", "-keyout", key, "-out", self.dir / "csr",
                "-subj", f"/CN={name}")
        extensions = self.dir / "ext"
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{n}" for n in names or [name]) +
                              "\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        openssl("x509", "-req", "-in", self.dir / "csr", "-CA", self.path, "-CAkey", self.key,
                "-set_serial", self.n, "-days", 30, "-extfile", extensions, "-out", chain)
        return chain, key


def entry(name, pairs, **keys):
    """YAML of one entry of `tls`."""
    text = f"  - name: {name}\n"
    if pairs:
        text += "    certificates:\n"
    for chain, key in pairs:
        text += f"      - {{chain: {chain}, key: {key}}}\n"
    return text + "".join(f"    {key}: {value}\n" for key, value in keys.items())


def add_tls(edge, tls, listen="players"):
    """Has an edge that is not yet started listen on `edge.tls_port` too. Returns the URL."""
    edge.tls_port = free_port()
    config = edge.config_path.read_text()
    edge.config_path.write_text(config.replace(
        "listen:\n", f"listen:\n  - {{address: '127.0.0.1:{edge.tls_port}', tls: {listen}}}\n") +
        f"tls:\n{tls}")
    return f"https://127.0.0.1:{edge.tls_port}"


def tls_edge(lab, origin, tls, listen="players", **options):
    """An edge that listens on `edge.tls_port` too, with the entry named `listen`."""
    edge = lab.edge(upstreams=[origin.url], start=False, **options)
    add_tls(edge, tls, listen)
    return edge.start()


def versions():
    """What the edge speaks, which its library decides."""
    about = subprocess.run([BUILD / "forebay-edge", "--version"], capture_output=True, check=True,
                           text=True).stdout
    return [ssl.TLSVersion.TLSv1_2] + [ssl.TLSVersion.TLSv1_3] * (" 1.3" in about)


def context(authority, own=None, ciphers=None, protocols=(), version=None):
    """What a client trusts and has: reuse it to resume a session. `ciphers` are TLS 1.2's."""
    made = ssl.create_default_context(cafile=str(authority.path))
    if version or ciphers:
        made.maximum_version = version or ssl.TLSVersion.TLSv1_2
    if version:
        made.minimum_version = version
    if own:
        made.load_cert_chain(*map(str, own))
    if ciphers:
        made.set_ciphers(ciphers)
    if protocols:
        made.set_alpn_protocols(list(protocols))
    return made


class TlsClient(Client):
    """As Client. `trust` is an Authority or a context()."""

    def __init__(self, port, name, trust, session=None, timeout=20.0):
        self.response, self.pieces = None, iter(())
        trust = context(trust) if isinstance(trust, Authority) else trust
        plain = socket.create_connection(("127.0.0.1", port), timeout * PATIENCE)
        try:
            plain = trust.wrap_socket(plain, server_hostname=name, session=session)
        except (OSError, ssl.SSLError):
            plain.close()
            raise
        Wire.__init__(self, plain, timeout)

    @property
    def serial(self):
        return int(self.sock.getpeercert()["serialNumber"], 16)

    def get(self, target, headers=()):
        self.request(target, headers=headers)
        return self.read()
