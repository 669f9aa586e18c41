"""What `cmake --install` brings, and what systemd makes of the units."""
import os
import re
import shutil
import subprocess

import pytest
from lab import BUILD

PROGRAMS = ("forebay-edge", "forebay-origin", "forebay-worker")


@pytest.fixture(scope="module")
def root(module_lab):
    made = module_lab.dir / "root"
    subprocess.run(["cmake", "--install", BUILD], env={**os.environ, "DESTDIR": str(made)},
                   check=True, capture_output=True)
    return made


def find(root, name):
    found = list(root.rglob(name))
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


def test_a_unit_starts_the_program_that_was_installed_with_it(root):
    for name in PROGRAMS:
        unit = find(root, f"{name}.service").read_text()
        assert "@" not in re.sub(r"@(system-service|privileged|resources)", "", unit)
        program, config = re.search(r"^ExecStart=(\S+) --config (\S+)$", unit, re.M).groups()
        installed = root / program.lstrip("/")
        assert subprocess.run([installed, "--version"], capture_output=True,
                              check=False).returncode == 0
        assert not (root / config.lstrip("/")).exists()  # that is the operator's to write
    assert find(root, "forebay-transcode").parent == find(root, "forebay-worker").parent


def test_what_only_root_may_set_is_set_where_it_is(root):
    for line in find(root, "tmpfiles.d/forebay.conf").read_text().splitlines():
        if not line.startswith("#"):
            kind, path, *rest, word = line.split()
            assert kind == "w" and path.startswith("/sys/kernel/mm/") and rest == ["-"] * 4
            assert word == "advise"  # of use to who asks for it alone


def test_the_examples_are_good(root):
    for program, name in (("forebay-edge", "edge"), ("forebay-edge", "regional"),
                          ("forebay-origin", "origin")):
        ran = subprocess.run([find(root, program), "--config", find(root, f"{name}.yaml"), "--check"],
                             capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr


def test_what_is_written_for_whoever_comes_from_nginx_is_good(root, module_lab, authority):
    chain, key = authority.issue("video.example")
    text = re.search(r"```yaml\n(.*?)```", find(root, "from-nginx.md").read_text(), re.S)[1]
    for there, here in (("/etc/forebay/video.pem", chain), ("/etc/forebay/video.key", key),
                        ("/srv/cache", module_lab.dir), ("200GiB", "64MiB")):
        assert there in text
        text = text.replace(there, str(here))
    path = module_lab.dir / "from-nginx.yaml"
    path.write_text(text)
    ran = subprocess.run([find(root, "forebay-edge"), "--config", path, "--check"],
                         capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_what_a_document_links_to_is_installed_too(root):
    documents = list(root.rglob("*.md"))
    assert len(documents) > 10
    links = [(document, link) for document in documents
             for link in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text())
             if "://" not in link]
    assert links
    dead = [f"{document.name}: {link}" for document, link in links
            if not (document.parent / link).exists()]
    assert not dead, dead


def test_the_units_are_as_systemd_wants_them_and_shut_in(root, module_lab):
    if shutil.which("systemd-analyze") is None:
        return  # no machine without it reads them either
    for name in PROGRAMS:
        unit = module_lab.dir / f"{name}.service"
        text = find(root, unit.name).read_text()
        unit.write_text(re.sub(r"(?<==)/\S+/(forebay-\w+)(?= )",
                               lambda match: str(find(root, match[1])), text))
        ran = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True,
                             check=False)
        assert ran.returncode == 0 and name not in ran.stderr, ran.stderr
        ran = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25",
                              unit], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout
