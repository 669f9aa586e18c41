#!/usr/bin/env python3
"""From kill -9 to hits, with a volume of many small objects.

usage: bench.py [--objects N] [--size BYTES]

nginx answers every path with SIZE bytes; the edge is asked for N paths, twice each,
which puts them on the volume. Then the edge is killed and started anew, with the
upstream gone, and is asked for known paths until the first hit and for a sample
of all. The programs come from $FB_BUILD_DIR, which should be a release build.
"""
import argparse
import os
import pathlib
import random
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
os.environ.setdefault("FB_BUILD_DIR", str(HERE.parents[2] / "build" / "release"))

from lab import Lab, free_port, get, until  # noqa: E402

SAMPLE = 2000
NGINX = """
daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; default_type video/iso.segment; keepalive_requests 100000000;
    client_body_temp_path {dir}/body; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
    scgi_temp_path {dir}/s; proxy_temp_path {dir}/temp;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            add_header ETag '"1"'; add_header Cache-Control "public, max-age=31536000, immutable";
            return 200 "{body}";
        }}
    }}
}}
"""


def start_nginx(lab, size):
    folder, port = lab.dir / "nginx", free_port()
    folder.mkdir()
    (folder / "nginx.conf").write_text(NGINX.format(dir=folder, port=port, body="x" * size))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")],
                               stderr=subprocess.DEVNULL)
    until(lambda: get(f"http://127.0.0.1:{port}/v/seg-0.m4s").status == 200, "nginx answers")
    return process, f"http://127.0.0.1:{port}"


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def volume(edge):
    return edge.status()["volumes"][0]


def ask(sock, paths):
    """Pipelines requests for all paths and reads the responses away."""
    sock.sendall("".join(f"GET {path} HTTP/1.1\r\nHost: media.test\r\n\r\n"
                         for path in paths).encode())
    left, buffer = len(paths), b""
    while left:
        data = sock.recv(1 << 20)
        assert data, "the edge hung up"
        buffer += data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:end].lower()
            at = head.index(b"content-length:") + 15
            size = end + 4 + int(head[at:].split(b"\r", 1)[0])
            if len(buffer) < size:
                break
            assert head.startswith(b"http/1.1 200"), head
            buffer = buffer[size:]
            left -= 1


def fill(edge, n):
    """Asks for every path twice, so that it is worth a write."""
    with socket.create_connection(("127.0.0.1", edge.port)) as sock:
        for first in range(1, n + 1, 50):
            paths = [f"/v/seg-{i}.m4s" for i in range(first, min(first + 50, n + 1))]
            ask(sock, paths)
            ask(sock, paths)
            if first % 50_000 == 1:
                print(f"\r{first} objects asked for", end="", file=sys.stderr)
    until(lambda: volume(edge)["queued_bytes"] == 0, "the volume has written", 60)
    print(file=sys.stderr)


def is_hit(edge, i):
    response = get(f"{edge.url}/v/seg-{i}.m4s", headers={"Host": "media.test"})
    return response.status == 200 and "; hit" in response.headers["Cache-Status"]


def restart(edge, n):
    """Seconds until the first hit, and what stands then."""
    began = time.monotonic()
    edge.start(wait=False)
    while True:
        try:
            if is_hit(edge, random.randrange(1, n + 1)):
                break
        except OSError:
            pass
        time.sleep(0.002)
    first_s = time.monotonic() - began
    until(lambda: volume(edge)["state"] == "online", "the volume is recovered")
    return first_s, cpu_seconds(edge.pid), resident_mib(edge.pid)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=1024)
    arguments = parser.parse_args()
    n = arguments.objects
    blocks = 1 + -(-arguments.size // 4096)
    mib = n * blocks * 4 // 1024 * 11 // 10 + 256
    with Lab() as lab:
        nginx, upstream = start_nginx(lab, arguments.size)
        edge = lab.edge([upstream], memory="64MiB", volumes=[("volume", f"{mib}MiB")], workers=1)
        empty = resident_mib(edge.pid)
        fill(edge, n)
        filled, extents = resident_mib(edge.pid), volume(edge)["extents"]
        index = volume(edge)["index_bytes"]
        edge.kill()
        nginx.terminate()
        nginx.wait()
        first_s, cpu_s, resident = restart(edge, n)
        hits = sum(is_hit(edge, random.randrange(1, n + 1)) for _ in range(SAMPLE))
        print(f"{extents} objects of {arguments.size} bytes on a volume of {mib} MiB\n"
              f"index           {index / 2**20:8.1f} MiB  {index / extents:.1f} bytes an object\n"
              f"resident        {empty:8.1f} MiB empty, {filled:.1f} filled, {resident:.1f} after"
              f" the restart\n"
              f"first hit       {first_s:8.2f} s after the start that follows kill -9,"
              f" {cpu_s:.2f} s of CPU until the volume was online\n"
              f"hits            {hits:8d} of {SAMPLE}, the upstream gone")


if __name__ == "__main__":
    main()
