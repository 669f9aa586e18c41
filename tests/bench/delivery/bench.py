#!/usr/bin/env python3
"""What a hit costs at the edge and at nginx, side by side.

usage: bench.py [--seconds N] [--rounds N] [--connections N]

Each server gets one worker, pinned to CPU 0; wrk runs pinned to CPU 1. Both
cache the same objects from the same upstream, both are warm before they are
measured, and rounds alternate. CPU time is the server's own, user and system,
from /proc/PID/stat; what is printed is the median of the rounds. The programs
come from $FB_BUILD_DIR, which should be a release build.
"""
import argparse
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
os.environ.setdefault("FB_BUILD_DIR", str(HERE.parents[2] / "build" / "release"))

from lab import Lab, free_port, get, until  # noqa: E402

SERVER_CPU, LOAD_CPU = "0", "1"
TICK = os.sysconf("SC_CLK_TCK")
OBJECTS = {"4 KiB": ("/4k.m4s", 4 * 1024), "1 MiB": ("/1m.m4s", 1024 * 1024)}
NGINX = """
daemon off; master_process on; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
    access_log off; default_type video/mp4; server_tokens off;
    sendfile on; sendfile_max_chunk 1m; tcp_nopush on; tcp_nodelay on;
    keepalive_timeout 600; keepalive_requests 100000000; reset_timedout_connection on;
    client_body_temp_path {dir}/body; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
    scgi_temp_path {dir}/s; proxy_temp_path {dir}/temp;
    open_file_cache max=1000 inactive=600s; open_file_cache_valid 600s;
    proxy_cache_path {dir}/cache levels=1:2 keys_zone=edge:16m max_size=1g inactive=1d use_temp_path=off;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096 reuseport;
        location / {{
            proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_cache edge; proxy_cache_key $host$uri; proxy_cache_valid 200 1d;
            proxy_cache_lock on; add_header X-Cache $upstream_cache_status;
        }}
    }}
}}
"""


class Server:
    def __init__(self, name, port, pid):
        self.name, self.port, self.pid = name, port, pid
        self.rounds = {label: [] for label in OBJECTS}

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def warm(self, path, size):
        for _ in range(3):
            response = get(f"http://127.0.0.1:{self.port}{path}")
            assert response.status == 200 and len(response.body) == size, response
        said = response.headers.get("X-Cache") or response.headers.get("Cache-Status")
        assert "hit" in said.lower(), f"{self.name} does not serve a hit: {said}"

    def measure(self, label, arguments):
        path, size = OBJECTS[label]
        before = self.cpu_seconds()
        out = subprocess.run(
            ["taskset", "-c", LOAD_CPU, "wrk", "-t1", f"-c{arguments.connections}",
             f"-d{arguments.seconds}s", f"http://127.0.0.1:{self.port}{path}"],
            capture_output=True, text=True, check=True).stdout
        spent = self.cpu_seconds() - before
        assert "Socket errors" not in out and "Non-2xx" not in out, out
        requests = int(re.search(r"(\d+) requests in", out)[1])
        self.rounds[label].append({
            "us": spent / requests * 1e6, "s_gb": spent / (requests * size / 1e9),
            "rate": float(re.search(r"Requests/sec: *([\d.]+)", out)[1])})

    def median(self, label, key):
        return statistics.median(one[key] for one in self.rounds[label])


def start_nginx(lab, origin):
    folder, port = lab.dir / "nginx", free_port()
    folder.mkdir()
    os.chmod(lab.dir, 0o755)  # its worker is another user
    (folder / "nginx.conf").write_text(NGINX.format(dir=folder, port=port, origin=origin.port))
    master = subprocess.Popen(["taskset", "-c", SERVER_CPU, "nginx", "-p", str(folder),
                               "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    until(lambda: get(f"http://127.0.0.1:{port}/4k.m4s").status == 200, "nginx answers")
    children = pathlib.Path(f"/proc/{master.pid}/task/{master.pid}/children")

    def worker():
        for pid in children.read_text().split():
            if "worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                return int(pid)
        return None

    return master, Server("nginx", port, until(worker, "nginx has a worker"))


def report(servers, arguments):
    print(f"hits, {arguments.connections} connections, one core each, median of "
          f"{arguments.rounds} rounds of {arguments.seconds} s\n")
    print(f"{'object':<8}{'server':<14}{'requests/s':>12}{'CPU us/request':>16}{'CPU s/GB':>10}"
          f"{'of nginx':>10}")
    for label in OBJECTS:
        base = servers[0].median(label, "us")
        for server in servers:
            us = server.median(label, "us")
            print(f"{label:<8}{server.name:<14}{server.median(label, 'rate'):>12.0f}{us:>16.2f}"
                  f"{server.median(label, 's_gb'):>10.3f}{us / base:>10.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    arguments = parser.parse_args()
    with Lab() as lab:
        origin = lab.scripted_origin()
        for path, size in OBJECTS.values():
            origin.put(path, os.urandom(size), {"Content-Type": "video/mp4",
                                                "Cache-Control": "public, max-age=31536000"})
        edge = lab.edge([origin.url], workers=1, memory="256MiB")
        subprocess.run(["taskset", "-a", "-c", "-p", SERVER_CPU, str(edge.pid)], check=True,
                       stdout=subprocess.DEVNULL)
        master, nginx = start_nginx(lab, origin)
        try:
            servers = [nginx, Server("forebay-edge", edge.port, edge.pid)]
            for label, (path, size) in OBJECTS.items():
                for server in servers:
                    server.warm(path, size)
                for _ in range(arguments.rounds):
                    for server in servers:
                        server.measure(label, arguments)
            report(servers, arguments)
        finally:
            master.send_signal(signal.SIGQUIT)
            master.wait(20)
    return 0


if __name__ == "__main__":
    sys.exit(main())
