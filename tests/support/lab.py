"""The lab: real programs, scripted peers and literal clients for one test.

    def test_a_second_request_is_a_hit(lab):
        origin = lab.scripted_origin()
        origin.put("/v/seg-1.m4s", b"x" * 1000)
        edge = lab.edge(upstreams=[origin.url])
        assert get(edge.url + "/v/seg-1.m4s").status == 200
        assert "hit" in get(edge.url + "/v/seg-1.m4s").headers["Cache-Status"]
        assert origin.count("/v/seg-1.m4s") == 1

The programs come from $FB_BUILD_DIR (build/dev when unset). Every test has a
private folder, ports of its own, and waits for conditions with a deadline, never
for time. At the end of a test each program that still runs gets SIGTERM and must
leave with status 0 and without a word from a sanitizer; on failure the tails of
the logs are shown. One thread.
"""
import ctypes
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading

from lab_script import Clock
from lab_wire import (PATIENCE, Client, Cut, Exchange, Origin, Response,  # noqa: F401
                      call, free_port, get, until)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FB_BUILD_DIR", ROOT / "build" / "dev")).resolve()
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error: |"
                       r"SUMMARY: \w+Sanitizer")
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "LSAN_OPTIONS": f"suppressions={pathlib.Path(__file__).parent / 'lsan.txt'}:"
                    "print_suppressions=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}


def indent(text, by=2):
    return "".join(" " * by + line + "\n" for line in text.splitlines())


class Heir:
    """A process that a program under test started in its own place, as subprocess.Popen shows
    processes. Its parent ends; it becomes this process' child then, which learns its status."""

    def __init__(self, pid):
        self.pid, self.returncode, self.handle = pid, None, os.pidfd_open(pid)

    @staticmethod
    def expect():
        """Orphans come to this process from now on."""
        set_child_subreaper = 36
        assert ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) == 0

    def _has_ended(self, seconds):
        return bool(select.select([self.handle], [], [], seconds)[0])

    def _reap(self):
        try:
            return os.waitpid(self.pid, 0)
        except ChildProcessError:
            return None  # its parent has not ended yet

    def poll(self):
        if self.returncode is None and self._has_ended(0):
            _, status = until(self._reap, f"process {self.pid} is an orphan")
            self.returncode = os.waitstatus_to_exitcode(status)
            os.close(self.handle)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None and not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.poll()

    def send_signal(self, number):
        if self.poll() is None:
            signal.pidfd_send_signal(self.handle, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Program:
    """A program under test, started with a configuration of its own."""

    def __init__(self, lab, binary, name, config, port=None, admin=None, clock=None):
        self.lab, self.binary, self.name = lab, binary, name
        self.clock = clock  # that turns its time; None: the machine's alone
        self.port, self.admin_port = port, admin
        self.dir = lab.dir / name
        self.dir.mkdir(exist_ok=True)
        self.config_path = self.dir / f"{binary}.yaml"
        self.config_path.write_text(config)
        self.log_path = self.dir / "log"
        self.process = None
        self.former = []  # processes that this one took over from

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin(self):
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def pid(self):
        return self.process.pid

    def start(self, wait=True, args=(), env=None):
        """Starts it (again) and waits for /readyz."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        assert (BUILD / self.binary).exists(), f"there is no {self.binary} in {BUILD}"
        command = [str(BUILD / self.binary), "--config", str(self.config_path), *args]
        turned = {"FB_TEST_CLOCK": str(self.clock.path)} if self.clock else {}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                start_new_session=True,  # Ctrl-C is for whoever runs the lab
                env={**os.environ, **SANITIZER_ENV, **turned, **(env or {})})
        if wait and self.admin_port:
            until(self.is_ready, f"{self.name} is ready", 30)
            if self.clock:
                self.check_clock()
        return self

    def check_clock(self):
        """A build without a clock to turn would pass many a test by doing nothing."""
        before = self.status()["uptime_s"]
        self.clock.forward(100)
        assert self.status()["uptime_s"] >= before + 100, \
            f"no test turns the clock of {BUILD}: FB_BUILD_DIR has to be a sanitized build"

    def is_ready(self):
        assert self.is_running(), f"{self.name} ended at start ({self.process.returncode})"
        return get(self.admin + "/readyz", timeout=5).status == 200

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_lines(self):
        """The lines of its log that are whole."""
        return self.log().split("\n")[:-1]

    def metric(self, name):
        """The value of one metric, labels included in the name as they are shown;
        0 when there is no such line."""
        for line in get(self.admin + "/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def status(self):
        return get(self.admin + "/status").json()

    def restart(self):
        """POST /restart: the new process is this program's from then on. Returns its answer."""
        Heir.expect()
        answer = get(self.admin + "/restart", method="POST", timeout=60)
        if answer.status == 200:
            self.follow(answer.json()["pid"])
        return answer

    def follow(self, pid):
        """Process `pid` took over."""
        self.former.append(self.process)
        self.process = Heir(pid)

    def await_former(self, deadline=30.0):
        """The processes that this one took over from end, with 0."""
        while self.former:
            status = self.former.pop().wait(deadline * PATIENCE)
            assert status == 0, f"a former process of {self.name} left with {status}"

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, deadline=30.0):
        """Its exit status."""
        try:
            return self.process.wait(deadline * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not leave within {deadline} s") from None

    def stop(self, deadline=30.0):
        """SIGTERM; must leave with 0 and without a report from a sanitizer."""
        if self.is_running():
            self.terminate()
        status = self.wait(deadline)
        self.await_former()
        self.check_log()
        assert status == 0, f"{self.name} left with {status}"

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.check_log()
        self.process = None

    def check_log(self):
        found = SANITIZER.search(self.log())
        assert not found, f"{self.name}: {self.log()[found.start():][:6000]}"


class Lab:
    """What one test starts. Used through the fixture `lab`, or as a context.
    A folder that the caller gave is the caller's to remove."""

    def __init__(self, folder=None):
        self.keep = folder is not None
        self.dir = pathlib.Path(folder or tempfile.mkdtemp(prefix="forebay-lab-"))
        self.programs, self.origins, self.n_clocks = [], [], 0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(failed=kind is not None)

    def event(self):
        return threading.Event()

    def scripted_origin(self, name="origin"):
        origin = Origin(name)
        self.origins.append(origin)
        return origin

    def client(self, server, timeout=20.0):
        """A connection to a program or a scripted origin."""
        return Client(server.port, timeout=timeout)

    def clock(self):
        """One to hand to edges: lab_script.Clock."""
        self.n_clocks += 1
        return Clock(self.dir / f"clock-{self.n_clocks}")

    def program(self, binary, name, config, port=None, admin=None, start=True, clock=None):
        program = Program(self, binary, name, config, port, admin, clock)
        self.programs.append(program)
        return program.start() if start else program

    def edge(self, upstreams, name="box-1", role="edge", memory="64MiB", volumes=(), rules=None,
             extra="", workers=2, start=True, clock=None):
        """forebay-edge; `upstreams` are URLs, or YAML mappings as text; `volumes` are (path, size)
        or (path, size, further YAML); `rules` and `extra` are YAML in place of the usual rules
        and for further top-level keys. With clock=True, `edge.clock` turns its time; several
        edges share a lab.clock()."""
        clock = self.clock() if clock is True else clock
        port, admin = free_port(), free_port()
        listed = "".join(f"  - {up if up.startswith('{') else 'url: ' + up}\n" for up in upstreams)
        drives = "  volumes:\n" if volumes else ""
        for path, size, *more in volumes:
            drives += f"  - path: {path}\n    size: {size}\n" + indent("".join(more), 4)
        config = (f"node: {name}\nrole: {role}\nworkers: {workers}\n"
                  f"listen:\n  - address: 127.0.0.1:{port}\n"
                  f"admin:\n  address: 127.0.0.1:{admin}\n"
                  f"upstreams:\n{listed}store:\n  memory: {memory}\n{drives}"
                  f"rules:\n{indent(rules or USUAL_RULES)}{extra}")
        return self.program("forebay-edge", name, config, port, admin, start, clock)

    def origin(self, name="origin", public_url=None, workers=2, extra="", start=True, clock=None,
               objects="file:data/objects"):
        """forebay-origin with its database and, unless `objects` says where, objects in its own
        folder. With clock=True, `origin.clock` turns its time. A user may begin any number of
        videos, unless `extra` says."""
        if "per_hour:" not in extra:
            extra = (re.sub(r"^upload:\n", "upload:\n  per_hour: 0\n", extra, flags=re.M)
                     if re.search(r"^upload:\n", extra, re.M) else extra + "upload:\n  per_hour: 0\n")
        clock = self.clock() if clock is True else clock
        port, admin = free_port(), free_port()
        config = (f"listen:\n  - address: 127.0.0.1:{port}\n"
                  f"admin:\n  address: 127.0.0.1:{admin}\n"
                  f"public_url: {public_url or f'http://127.0.0.1:{port}'}\n"
                  f"database: sqlite:data/origin.db\nobjects: {objects}\n"
                  f"workers: {workers}\n{extra}")
        return self.program("forebay-origin", name, config, port, admin, start, clock)

    def system(self, memory="256MiB", workers=2, secure=None, signals=None):
        """An origin behind a regional node behind an edge: (origin, regional, edge).
        The origin serves the watch page of this build. `secure` is given the edge before it
        starts, and returns the URL that players have. `signals`, such as "1s": the edge counts
        views, which are reported so often, and fills itself by the origin's plans; ADMIN may ask
        for some."""
        volumes = [("volume", "512MiB")]
        edge = self.edge([], name="edge-1", memory=memory, volumes=volumes, start=False)
        public_url = secure(edge) if secure else edge.url
        more = signals_of_origin(signals) if signals else ""
        origin = self.origin(public_url=public_url, workers=workers, extra=f"web: {BUILD / 'web'}\n{more}")
        more = signals_of_regional(signals, origin) if signals else ""
        regional = self.edge([origin.url], name="regional-1", role="regional", memory=memory,
                             volumes=volumes, extra=more)
        more = signals_of_edge(signals, regional, origin, public_url) if signals else ""
        edge.config_path.write_text(edge.config_path.read_text().replace(
            "upstreams:\n", f"upstreams:\n  - {{ url: {regional.url}, tier: regional }}\n") + more)
        return origin, regional, edge.start()

    def clip(self, *options, name="clip.mp4", seconds=6, size="640x360", rate=25, sound=True):
        """A small H.264 clip made by ffmpeg; `options` go before the output."""
        path = self.dir / name
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi",
                   "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"]
        if sound:
            command += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"]
        command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", *options]
        subprocess.run([*command, str(path)], check=True)
        return path

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def close(self, failed=False):
        problems = []
        for thing in [*reversed(self.programs), *self.origins]:
            try:
                if isinstance(thing, Origin):
                    thing.close()
                elif thing.process is not None:
                    thing.stop()
            except AssertionError as error:
                problems.append(str(error))
        if failed or problems:
            for program in self.programs:
                print(f"--- log of {program.name}\n{program.log()[-8000:]}")
        if not self.keep:
            self.remove()
        if not failed:
            assert not problems, "; ".join(problems)
        elif problems:
            print("also: " + "; ".join(problems))


REGION, ADMIN = "here", "admin@example.org"
TOKEN = "reports-of-this-lab"


def signals_of_origin(every):
    return f"views: {{ token: {TOKEN} }}\ntrending: {{ every: {every} }}\nadmins: [{ADMIN}]\n"


def signals_of_regional(every, origin):
    return (f"state: state\nregion: {REGION}\nreports:\n  to: [{{ url: {origin.url} }}]\n"
            f"  token: {TOKEN}\n  every: {every}\n  accept: {{ token: {TOKEN} }}\n")


def signals_of_edge(every, regional, origin, public_url):
    return (f"state: state\nregion: {REGION}\nviews: {{ enabled: true, every: {every} }}\n"
            f"reports: {{ to: [{{ url: {regional.url} }}], token: {TOKEN}, every: {every} }}\n"
            f"warm:\n  keys: [{origin.dir / 'data/keys/plan.pub.jwk'}]\n"
            f"  host: {public_url.partition('://')[2]}\n  windows: [\"00:00-24:00 UTC\"]\n"
            f"  now: true\n  pull: {every}\n")


USUAL_RULES = """\
- match: { suffix: [.m3u8, .mpd] }
  class: manifest
  ttl: { min: 1s, max: 30s }
- match: { suffix: [.m4s, .mp4, .ts, .vtt, .jpg] }
  class: segment
"""
