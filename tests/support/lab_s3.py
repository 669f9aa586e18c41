"""A real S3 server for a test: Ceph's RADOS gateway over one monitor and one store in memory.

    server = S3Server()             # some 15 s later it answers; with a pair of certificate and
                                    # key by TLS too, as <bucket>.localhost
    url = server.bucket("films")    # made anew
    server.close()

All ports are on loopback. What the programs under test need stands in `endpoint` and
`credentials`, a file.
"""
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import uuid

from lab_wire import free_port, until

ACCESS_KEY, SECRET_KEY = "FOREBAYTESTKEY000001", "forebay-test-secret-0123456789abcdefghij"
CONFIG = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon2}/0,v1:127.0.0.1:{mon1}/0]
keyring = {dir}/keyring
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind port min = {ports_from}
ms bind port max = {ports_to}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 4000
mon warn on pool no redundancy = false
auth allow insecure global id reclaim = false
run dir = {dir}
admin socket = {dir}/$name.asok
log file = {dir}/$name.log
pid file = {dir}/$name.pid
crash dir = {dir}
mon data = {dir}/mon
osd data = {dir}/osd
rgw data = {dir}/rgw
mgr data = {dir}/mgr
[osd.0]
osd objectstore = memstore
memstore device bytes = 2147483648
osd class load list = *
osd class default list = *
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{port}{tls}
rgw thread pool size = 64
rgw enable usage log = false
rgw enable ops log = false
rgw run sync thread = false
rgw dynamic resharding = false
"""


class RoughWay:
    """A way to a server on which every other connection breaks, at another place each time: at
    once, in the middle of a request or of an answer, or with an answer that says to come back
    later. What begins a multipart gets through: nobody could tell afterwards that it was begun."""

    FATES = (1 << 40, 0, 1 << 40, 700, 1 << 40, 3_000_000, 1 << 40, "busy", 1 << 40, 90_000)
    BUSY = (b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 40\r\n"
            b"Connection: close\r\n\r\n<Error><Code>SlowDown</Code>now!</Error>")

    def __init__(self, port, life=7):
        self.port_behind, self.life, self.n, self.n_broken = port, life, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            fate = self.FATES[self.n % len(self.FATES)]
            self.n += 1
            threading.Thread(target=self._serve, args=(client, fate), daemon=True).start()

    def _serve(self, client, fate):
        with client, socket.create_connection(("127.0.0.1", self.port_behind)) as server:
            try:
                self._carry(client, server, fate)
            except OSError:
                pass

    def _carry(self, client, server, fate):
        left, n_requests, is_spared = fate, 0, False
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(65536)
                if not data:
                    return
                if source is client and data[:5] in (b"GET /", b"PUT /", b"POST ", b"HEAD ", b"DELET"):
                    n_requests += 1
                    is_spared = data.startswith(b"POST ") and b"?uploads=" in data
                    if n_requests > self.life and not is_spared:
                        return  # an idle connection that was closed as it was used again
                    if fate == "busy" and not is_spared:
                        self.n_broken += 1
                        client.sendall(self.BUSY)
                        return
                if isinstance(left, int):
                    left -= len(data)
                    if left < 0 and not is_spared:
                        self.n_broken += 1
                        (server if source is client else client).sendall(data[:len(data) // 2])
                        return
                (server if source is client else client).sendall(data)

    def close(self):
        self.listener.close()


class S3Server:
    def __init__(self, folder=None, pair=None):
        # A socket's path has a limit, and pytest's folders are deep.
        self.dir = pathlib.Path(folder or tempfile.mkdtemp(prefix="fb-s3-"))
        self.processes, self.buckets = [], []
        self.port, self.tls_port, self.pair = free_port(), free_port(), pair
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.tls_endpoint = f"https://localhost:{self.tls_port}"
        self.access_key, self.secret_key = ACCESS_KEY, SECRET_KEY
        self.credentials = self.dir / "credentials"
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    # ---- the cluster ---------------------------------------------------------------

    def _run(self, *command, timeout=60):
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              env=self._env())
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def _env(self):
        return {**os.environ, "CEPH_CONF": str(self.config), "CEPH_ARGS": ""}

    def _spawn(self, *command):
        log = open(self.dir / f"{command[0]}.out", "ab")
        self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                               stderr=log, env=self._env(),
                                               start_new_session=True))

    def _keys(self):
        keyring = str(self.dir / "keyring")
        everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.",
                  "--cap", "mon", "allow *")
        for name in ("client.admin", "client.rgw.a"):
            self._run("ceph-authtool", keyring, "--gen-key", "-n", name, *everything)
        self._run("ceph-authtool", keyring, "--gen-key", "-n", "osd.0", "--cap", "mon",
                  "allow profile osd", "--cap", "osd", "allow *")
        return keyring

    def _start(self):
        self.config = self.dir / "ceph.conf"
        fsid, mon2, mon1 = str(uuid.uuid4()), free_port(), free_port()
        tls = "" if self.pair is None else (
            " ssl_endpoint=127.0.0.1:{} ssl_certificate={} ssl_private_key={}\n"
            "rgw dns name = localhost".format(self.tls_port, *self.pair))
        self.config.write_text(CONFIG.format(tls=tls, fsid=fsid, mon2=mon2, mon1=mon1, dir=self.dir,
                                             port=self.port, ports_from=61000, ports_to=65535))
        for name in ("mon", "osd", "rgw", "mgr"):
            (self.dir / name).mkdir()
        keyring, monmap = self._keys(), str(self.dir / "monmap")
        self._run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a",
                  f"[v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}]", monmap)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", keyring)
        self._spawn("ceph-mon", "-i", "a", "-f")
        osd = str(uuid.uuid4())
        self._run("ceph", "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._spawn("ceph-osd", "-i", "0", "-f")
        until(lambda: "1 up" in self._run("ceph", "osd", "stat"), "the store is up", 60)
        self._spawn("radosgw", "-n", "client.rgw.a", "-f")
        self._run("radosgw-admin", "user", "create", "--uid=forebay", "--display-name=forebay",
                  f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}", "--max-buckets=0")
        until(self._answers, "the gateway answers", 60)
        self.credentials.write_text(f"access_key = {ACCESS_KEY}\nsecret_key = {SECRET_KEY}\n")
        self.credentials.chmod(0o600)

    def _answers(self):
        return subprocess.run(["curl", "-sf", "-o", os.devnull, self.endpoint]).returncode == 0

    # ---- for tests -----------------------------------------------------------------

    def curl(self, method, path, *options):
        """A signed request; gives status and body."""
        done = subprocess.run(
            ["curl", "-sS", "-X", method, "--aws-sigv4", "aws:amz:us-east-1:s3",
             "--user", f"{ACCESS_KEY}:{SECRET_KEY}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
             "-w", "\n%{http_code}", *options, self.endpoint + path],
            capture_output=True, timeout=60, check=True)
        body, _, status = done.stdout.rpartition(b"\n")
        return int(status), body

    def bucket(self, name):
        """Makes a bucket and gives its URL for `objects`."""
        status, body = self.curl("PUT", f"/{name}")
        assert status == 200, body
        return f"s3://{name}"

    def keys(self, bucket):
        """All keys of a bucket, of which there are a thousand at most."""
        status, body = self.curl("GET", f"/{bucket}?list-type=2&max-keys=1000")
        assert status == 200 and b"<IsTruncated>false" in body, body
        return re.findall(r"<Key>([^<]+)</Key>", body.decode())

    def section(self, ca=None):
        """The section `s3` of origin.yaml; with `ca` by TLS, each bucket at a host of its own."""
        by = (f"  endpoint: {self.tls_endpoint}\n  ca: {ca}\n  bucket_host: true\n" if ca else
              f"  endpoint: {self.endpoint}\n")
        return f"s3:\n{by}  credentials: {self.credentials}\n"

    def close(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGKILL)  # nothing of it is to be kept
        for process in self.processes:
            process.wait(30)
        shutil.rmtree(self.dir, ignore_errors=True)
