"""Guests: Debian's kernel in QEMU, with programs, the libraries they need and busybox in a RAM disk.

For what the kernel here lacks. The kernel's package is unpacked into a folder, not installed.
"""
import dataclasses
import pathlib
import re
import subprocess
import tempfile

TIMEOUT_S = 480
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
ifconfig lo 127.0.0.1 up
for module in {modules}; do insmod /modules/$module.ko; done
. /script
poweroff -f
"""


@dataclasses.dataclass
class Guest:
    """What a guest has: its `script` may name the programs, by `/NAME`, and what busybox is."""
    script: str
    programs: list
    modules: list  # each is loaded after what it depends on
    devices: tuple = ()  # more words for QEMU
    files: dict = dataclasses.field(default_factory=dict)


def output_of(*command, cwd=None):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True,
                          text=True, cwd=cwd).stdout


def fetch_kernel(folder):
    """Debian's kernel, unpacked; returns its image and its modules by name."""
    depends = output_of("apt-cache", "depends", "--important", "linux-image-amd64")
    name = re.search(r"Depends: (linux-image-\S+)", depends)[1]
    output_of("apt-get", "-qq", "download", name, cwd=folder)
    package, = folder.glob("linux-image-*.deb")
    output_of("dpkg-deb", "--extract", package, folder / "kernel")
    package.unlink()
    image, = (folder / "kernel/boot").glob("vmlinuz-*")
    return image, {path.stem.replace("-", "_"): path
                   for path in (folder / "kernel").rglob("*.ko")}


def in_order(name, modules, done):
    """`name` after what it depends on, leaving out what is built in."""
    if name in modules and name not in done:
        depends = re.search(rb"\0depends=([^\0]*)\0", b"\0" + modules[name].read_bytes())[1]
        for other in filter(None, depends.decode().split(",")):
            in_order(other.replace("-", "_"), modules, done)
        done.append(name)
    return done


def libraries(program):
    return sorted(set(re.findall(r"(/\S+) \(0x", output_of("ldd", program))))


def add_entry(out, name, mode, content=b""):
    """One entry of a cpio archive, "newc"."""
    fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    for part in (head, content):
        out.write(part + b"\0" * (-len(part) % 4))


def write_disk(path, files):
    with path.open("wb") as out:
        folders = {str(folder) for name in [*files, "proc/x", "sys/x", "dev/x", "tmp/x"]
                   for folder in pathlib.PurePath(name).parents if str(folder) != "."}
        for folder in sorted(folders):
            add_entry(out, folder, 0o040755)
        for name, content in files.items():
            add_entry(out, name, 0o100755, content)
        add_entry(out, "TRAILER!!!", 0)


def build_disk(path, guest, modules):
    order = []
    for name in guest.modules:
        in_order(name, modules, order)
    files = {"init": INIT.format(modules=" ".join(order)).encode(),
             "script": guest.script.encode(),
             "bin/busybox": pathlib.Path("/bin/busybox").read_bytes(),
             **{name: text.encode() for name, text in guest.files.items()}}
    for name in order:
        files[f"modules/{name}.ko"] = modules[name].read_bytes()
    for program in guest.programs:
        files[program.name] = program.read_bytes()
        for library in libraries(program):
            files[library.lstrip("/")] = pathlib.Path(library).read_bytes()
    write_disk(path, files)


def run(guest):
    """What the guest says until it switches itself off, or has taken too long."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        image, modules = fetch_kernel(folder)
        build_disk(folder / "disk", guest, modules)
        out = subprocess.run(["timeout", str(TIMEOUT_S), "qemu-system-x86_64", "-machine", "q35",
                              "-accel", "tcg", "-cpu", "max", "-m", "1024", "-display", "none",
                              "-monitor", "none", "-nic", "none", "-serial", "stdio",
                              "-no-reboot", "-kernel", image, "-initrd", folder / "disk",
                              "-append", "console=ttyS0 quiet panic=-1 no_timer_check",
                              *guest.devices],
                             capture_output=True, text=True, errors="replace", check=False)
    return out.stdout + out.stderr
