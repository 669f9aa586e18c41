#!/usr/bin/env python3
"""Run a test in a guest whose kernel has TLS, and say whether the kernel sealed.

usage: guest.py PROGRAM

The guest is Debian's kernel, with PROGRAM, base/net's test_tls_tcp, the libraries it needs and
busybox in a RAM disk. The kernel's package is unpacked into a folder, not installed. It passes if
PROGRAM does and /proc/net/tls_stat has counted all of its connections.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

TIMEOUT_S = 300
PROGRAM_S = 200  # of the guest's time
# Loaded in this order, each after what it depends on. The kernel would load the ciphers itself if
# there were a modprobe.
MODULES = ["aesni_intel", "ctr", "gcm", "ghash_generic", "chacha_generic", "poly1305_generic",
           "chacha20poly1305", "tls"]
# Both ends of each of its connections: fewer, and a cipher was left to somebody else.
MIN_SEALED = 28
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox ifconfig lo 127.0.0.1 up
for module in {modules}; do /bin/busybox insmod /modules/$module.ko; done
echo "offered: $(/bin/busybox cat /proc/sys/net/ipv4/tcp_available_ulp)"
FB_TEST_KERNEL_TLS=1 /bin/busybox timeout {timeout} /program
echo "program ended with $?"
/bin/busybox grep . /proc/net/tls_stat
/bin/busybox poweroff -f
"""


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
        folders = {str(folder) for name in [*files, "proc/x", "dev/x"]
                   for folder in pathlib.PurePath(name).parents if str(folder) != "."}
        for folder in sorted(folders):
            add_entry(out, folder, 0o040755)
        for name, content in files.items():
            add_entry(out, name, 0o100755, content)
        add_entry(out, "TRAILER!!!", 0)


def build_disk(path, program, modules):
    order = []
    for name in MODULES:
        in_order(name, modules, order)
    files = {"init": INIT.format(modules=" ".join(order), timeout=PROGRAM_S).encode(),
             "program": program.read_bytes(),
             "bin/busybox": pathlib.Path("/bin/busybox").read_bytes()}
    for name in order:
        files[f"modules/{name}.ko"] = modules[name].read_bytes()
    for library in libraries(program):
        files[library.lstrip("/")] = pathlib.Path(library).read_bytes()
    write_disk(path, files)


def boot(image, disk):
    """What the guest says until it switches itself off, or has taken too long."""
    out = subprocess.run(["timeout", str(TIMEOUT_S), "qemu-system-x86_64", "-machine", "q35",
                          "-accel", "tcg", "-cpu", "max", "-m", "768", "-display", "none",
                          "-monitor", "none", "-nic", "none", "-serial", "stdio", "-no-reboot",
                          "-kernel", image, "-initrd", disk, "-append",
                          "console=ttyS0 quiet panic=-1 no_timer_check"],
                         capture_output=True, text=True, errors="replace", check=False)
    return out.stdout + out.stderr


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        image, modules = fetch_kernel(folder)
        build_disk(folder / "disk", program, modules)
        said = boot(image, folder / "disk")
    print(said)
    sealed = re.search(r"TlsTxSw\s+(\d+)", said)
    n_sealed = int(sealed[1]) if sealed else 0
    if "program ended with 0" not in said or n_sealed < MIN_SEALED:
        sys.exit(f"failed: {n_sealed} connections were sealed by the kernel")
    print(f"passed: {n_sealed} connections were sealed by the kernel")


if __name__ == "__main__":
    main()
