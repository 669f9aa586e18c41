"""Small disks of a test's own, which it can fill without anybody else's harm."""
import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_NEW_NAMESPACE, _RECURSIVE, _PRIVATE = 0x20000, 0x4000, 0x40000


def _must(result, what):
    if result != 0:
        raise AssertionError(f"{what}: {os.strerror(ctypes.get_errno())}")


def own_disk(folder, size):
    """Makes the folder a disk of `size` (as in "8m"), in memory, which only the calling
    thread and what it starts from now on can see; it goes with them. Needs the right to
    mount: where that is denied the test fails, for nothing else shows what it shows."""
    folder.mkdir(exist_ok=True)
    _must(_libc.unshare(_NEW_NAMESPACE), "unshare")
    _must(_libc.mount(None, b"/", None, _RECURSIVE | _PRIVATE, None), "make mounts private")
    _must(_libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={size}".encode()), "mount")
    return folder


def fill_up(folder, leave=0):
    """Puts a file there that takes all room but `leave` bytes, and returns its path."""
    room = os.statvfs(folder)
    path = folder / "filler"
    with path.open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, room.f_bavail * room.f_frsize - leave)
    return path
