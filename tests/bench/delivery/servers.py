"""The edge, its peers and the bound, each started on one core with what they measure alike:
ports, the CPU time and the memory of all their threads and processes."""
import functools
import os
import pathlib
import shutil
import signal
import subprocess

from lab import free_port, get, until

HERE = pathlib.Path(__file__).resolve().parent
SERVER_CPU, LOAD_CPU = 0, 1
RULES = """\
- match: { suffix: [.m3u8] }
  class: manifest
  ttl: { max: 1d }
- match: { suffix: [.m4s] }
  class: segment
"""


def tree(pid):
    """`pid` and all its descendants."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += tree(int(child))
    return found


class Server:
    """A running server. `ports` maps a scheme ("http", "https") to where it is spoken."""

    says_hit = True   # names a hit in a field of the response
    is_cache = True

    def __init__(self, name, bench, ports):
        self.name, self.bench, self.ports = name, bench, ports
        self.dir = bench.dir / re_name(name)
        self.process = None

    def url(self, path, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.ports[scheme]}{path}"

    def run(self, command, env=None):
        log = open(self.dir / "output", "ab")
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CPU), *map(str, command)], stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, cwd=self.dir, env={**os.environ, **(env or {})})
        return self

    def conf(self, name, **values):
        self.dir.mkdir(exist_ok=True)
        text = (HERE / "conf" / name).read_text()
        values |= {"dir": self.dir, "origin": self.bench.origin.ports["http"],
                   "port": self.ports["http"], "tls_port": self.ports.get("https", "")}
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        (self.dir / name).write_text(text)
        return self.dir / name

    def pids(self):
        return tree(self.process.pid)

    def cpu_seconds(self):
        """Of all threads that live, by the scheduler's own clock."""
        total = 0
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                try:
                    total += int((task / "schedstat").read_text().split()[0])
                except OSError:
                    pass  # a thread that has just ended
        return total / 1e9

    def resident(self):
        """Bytes, what processes share counted once."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def is_up(self):
        assert self.process.poll() is None, (
            f"{self.name} ended at start: {(self.dir / 'output').read_text()[-2000:]}")
        return get(self.url("/4096/live/probe.m3u8")).status == 200

    def wait(self):
        until(self.is_up, f"{self.name} answers", 30)
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def re_name(name):
    return name.replace(" ", "-").replace(",", "")


class Bare(Server):
    says_hit = is_cache = False

    def __init__(self, name, bench, how, cpu=SERVER_CPU):
        super().__init__(name, bench, {"http": free_port()})
        self.dir.mkdir()
        self.run([bench.dir / "bare", self.ports["http"], how])
        os.sched_setaffinity(self.process.pid, {cpu})


class Edge(Server):
    """The programs come from $FB_BUILD_DIR, which should be a release build."""

    def __init__(self, bench, name="forebay-edge", **options):
        program = bench.lab.edge(
            [bench.origin.url("")], name=re_name(name), rules=RULES, start=False,
            extra="timeouts: { idle: 10m }\n"
                  f"tls: [{{name: bench, certificates: [{{chain: {bench.dir}/cert.pem, "
                  f"key: {bench.dir}/key.pem}}]}}]\n", **{"workers": 1, **options})
        super().__init__(name, bench, {"http": program.port, "https": free_port()})
        config = program.config_path.read_text()
        secured = f"  - {{address: 127.0.0.1:{self.ports['https']}, tls: bench}}\n"
        program.config_path.write_text(config.replace("admin:\n", secured + "admin:\n", 1))
        self.program = program.start()
        self.process = program.process
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(task), {SERVER_CPU})

    def stop(self):
        self.program.stop()


class Nginx(Server):
    def __init__(self, bench, name="nginx", disk="2g"):
        super().__init__(name, bench, {"http": free_port(), "https": free_port()})
        conf = self.conf("nginx.conf", tls_versions="TLSv1.2", disk=disk)
        self.run(["nginx", "-p", self.dir, "-c", conf, "-e", self.dir / "error.log"])

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)


VSL = ("Begin", "End", "Link", "SessOpen", "SessClose", "ReqStart", "ReqMethod", "ReqURL",
       "ReqProtocol", "ReqHeader", "ReqUnset", "ReqAcct", "RespProtocol", "RespStatus",
       "RespReason", "RespHeader", "RespUnset", "BereqMethod", "BereqURL", "BereqProtocol",
       "BereqHeader", "BereqAcct", "BerespProtocol", "BerespStatus", "BerespReason",
       "BerespHeader", "ObjProtocol", "ObjStatus", "ObjReason", "ObjHeader", "VCL_call",
       "VCL_return", "VCL_use", "Hit", "Timestamp", "Length", "Storage", "TTL", "Filters",
       "BackendOpen", "BackendClose", "Fetch_Body")


class Varnish(Server):
    def __init__(self, bench, name="varnish", memory="1200m"):
        super().__init__(name, bench, {"http": free_port()})
        conf = self.conf("varnish.vcl")
        (self.dir / "work").mkdir()
        parameters = {"thread_pools": 1, "thread_pool_min": 80, "thread_pool_max": 1000,
                      "vsl_mask": ",".join(f"-{tag}" for tag in VSL),
                      "timeout_idle": 600, "nuke_limit": 1000,
                      "listen_depth": 4096, "default_ttl": 86400}
        tuning = [word for key, value in parameters.items() for word in ("-p", f"{key}={value}")]
        self.run(["varnishd", "-F", "-j", "none", "-n", self.dir / "work", "-f", conf,
                  "-a", f"127.0.0.1:{self.ports['http']}", "-s", f"malloc,{memory}", *tuning])


class TrafficServer(Server):
    says_hit = False  # by itself

    def __init__(self, bench, name="trafficserver", ram=1200 << 20, disk="1536M"):
        super().__init__(name, bench, {"http": free_port(), "https": free_port()})
        self.dir.mkdir()
        for folder in ("etc", "run", "log", "cache"):
            (self.dir / folder).mkdir()
        self.conf("records.config", ram=ram, tls13=0).rename(self.dir / "etc" / "records.config")
        origin = bench.origin.url("/")
        for file, text in {
                "remap.config": f"map / {origin}\n", "plugin.config": "",
                "storage.config": f"{self.dir}/cache {disk}\n",
                "ip_allow.yaml": "ip_allow: [{apply: in, ip_addrs: 0/0, action: allow, "
                                 "methods: ALL}]\n",
                "ssl_multicert.config": f"dest_ip=* ssl_cert_name={bench.dir}/cert.pem "
                                        f"ssl_key_name={bench.dir}/key.pem\n"}.items():
            (self.dir / "etc" / file).write_text(text)
        places = {"prefix": self.dir, "exec_prefix": "/usr", "bindir": "/usr/bin",
                  "sbindir": "/usr/sbin", "sysconfdir": self.dir / "etc",
                  "datadir": self.dir / "cache", "includedir": "/usr/include",
                  "libdir": "/usr/lib/trafficserver", "libexecdir": "/usr/lib/trafficserver/modules",
                  "localstatedir": self.dir, "runtimedir": self.dir / "run",
                  "logdir": self.dir / "log", "cachedir": self.dir / "cache"}
        (self.dir / "runroot.yaml").write_text(
            "".join(f"{key}: {value}\n" for key, value in places.items()))
        self.run(["traffic_server", f"--run-root={self.dir}/runroot.yaml"])


class H2o(Server):
    is_cache = says_hit = False

    def __init__(self, bench, name="h2o, files"):
        super().__init__(name, bench, {"http": free_port(), "https": free_port()})
        conf = self.conf("h2o.conf", files=bench.make_files(), tls_max="TLSv1.2")
        self.run(["h2o", "-c", conf])


PEERS = {Nginx: "nginx", Varnish: "varnishd", TrafficServer: "traffic_server", H2o: "h2o"}


@functools.cache
def here():
    """The peers that are installed; says which are not."""
    found = []
    for peer, program in PEERS.items():
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            found.append(peer)
        else:
            print(f"{program} is not installed: its column is left out")
    return found
