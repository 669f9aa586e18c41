"""A drive behind NVMe: kept through a kill, pulled under service, put back, and verified.

The edge runs in a guest with two such drives, as raw devices: one for the node, whose objects come
from busybox's httpd, and one for `store bench`. Each step of SCRIPT that holds says so.
"""
import pathlib
import sys
import tempfile

import guest

DRIVE_MIB = 512
CONFIG = """
node: guest
role: edge
workers: 1
listen:
  - address: 127.0.0.1:8080
admin:
  address: 127.0.0.1:9100
upstreams:
  - url: http://127.0.0.1:7000
    tier: origin
store:
  memory: 8MiB
  volumes:
    - path: /dev/drive
rules:
  - match: { suffix: [.m4s] }
    class: segment
"""
STEPS = ["the drive is blank and becomes a volume", "the objects are on it",
         "after a kill the drive has them all", "io_uring does the reading",
         "without the drive the node serves", "the drive is out of service",
         "put back it serves without a restart", "the drive has them again",
         "the volume is whole", "the other drive was measured"]
SCRIPT = """
holds() { echo "HOLDS $1"; }
until_true() { for i in $(seq 100); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done; return 1; }
status() { wget -q -O - http://127.0.0.1:9100/status; }
says() { status | tr -d ' \n' | grep -q "$1"; }
ready() { wget -q -O /dev/null http://127.0.0.1:9100/readyz; }
serve() { /forebay-edge --config /edge.yaml & edge=$!; until_true ready; }
origin() { httpd -f -p 127.0.0.1:7000 -h /www & origin=$!; }
fetch() { wget -q -O - "http://127.0.0.1:8080/seg-$1.m4s" | cmp -s - "/www/seg-$1.m4s"; }
fetch_all() { for n in $(seq $1 $2); do fetch $n || { echo "wrong: $n"; return 1; }; done; }
# The drive's name may be another when it comes back: by its serial number, as udev does.
link() {
    for one in /sys/block/nvme*; do
        grep -q FB0001 $one/device/serial && ln -sf /dev/${one##*/} /dev/drive && return 0
    done
    return 1
}
kept() { fetch_all 1 24; says '"extents":24,'; }

mkdir -p /www
for n in $(seq 24); do dd if=/dev/urandom of=/www/seg-$n.m4s bs=700k count=1 2>/dev/null; done
link
/forebay-edge store format --node guest /dev/drive && holds "the drive is blank and becomes a volume"
origin
serve
until_true kept && holds "the objects are on it"
sleep 2
kill -9 $edge $origin; wait
serve
fetch_all 1 12 && holds "after a kill the drive has them all"
ls -l /proc/$edge/fd | grep -q io_uring && holds "io_uring does the reading"
origin
pci=$(readlink -f /sys/block/$(basename $(readlink /dev/drive))/device/device)
echo 1 >$pci/remove
rm /dev/drive
fetch_all 1 12 && fetch_all 1 12 && holds "without the drive the node serves"
until_true says '"state":"offline"' || until_true says '"state":"failed"'
status
says '"state":"online"' || holds "the drive is out of service"
echo 1 >/sys/bus/pci/rescan
until_true link
until_true says '"state":"online"' && holds "put back it serves without a restart"
kill $origin
fetch_all 13 24 && holds "the drive has them again"
kill $edge; wait $edge
/forebay-edge store verify /dev/drive && holds "the volume is whole"
other=$(ls /sys/block | grep nvme | while read one; do grep -q FB0002 /sys/block/$one/device/serial && echo $one; done)
/forebay-edge store bench --size 256MiB --seconds 2 /dev/$other && holds "the other drive was measured"
"""


def drive(folder, serial):
    path = folder / serial
    with path.open("wb") as out:
        out.truncate(DRIVE_MIB << 20)
    return ["-drive", f"if=none,id={serial},file={path},format=raw,cache=unsafe",
            "-device", f"nvme,serial={serial},drive={serial}"]


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        said = guest.run(guest.Guest(
            SCRIPT, [pathlib.Path(sys.argv[1]) / "forebay-edge"], ["nvme"],
            devices=(*drive(folder, "FB0001"), *drive(folder, "FB0002")),
            files={"edge.yaml": CONFIG}))
    print(said)
    missing = [step for step in STEPS if f"HOLDS {step}" not in said]
    if missing:
        sys.exit("failed: " + "; ".join(missing))
    print(f"passed: {len(STEPS)} steps")


if __name__ == "__main__":
    main()
