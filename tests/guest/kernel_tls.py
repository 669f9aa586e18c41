"""TLS over TCP with the kernel as the sealer.

base/net's test_tls_tcp runs in a guest whose kernel has TLS. It passes if the test does and
/proc/net/tls_stat has counted all of its connections.
"""
import pathlib
import re
import sys

import guest

PROGRAM_S = 200  # of the guest's time
# The kernel would load the ciphers itself if there were a modprobe.
MODULES = ["aesni_intel", "ctr", "gcm", "ghash_generic", "chacha_generic", "poly1305_generic",
           "chacha20poly1305", "tls"]
# Both ends of each of its connections: fewer, and a cipher was left to somebody else.
MIN_SEALED = 28
SCRIPT = f"""
echo "offered: $(cat /proc/sys/net/ipv4/tcp_available_ulp)"
FB_TEST_KERNEL_TLS=1 timeout {PROGRAM_S} /base.net.test_tls_tcp
echo "program ended with $?"
grep . /proc/net/tls_stat
"""


def main():
    build = pathlib.Path(sys.argv[1])
    said = guest.run(guest.Guest(SCRIPT, [build / "tests/base.net.test_tls_tcp"], MODULES))
    print(said)
    sealed = re.search(r"TlsTxSw\s+(\d+)", said)
    n_sealed = int(sealed[1]) if sealed else 0
    if "program ended with 0" not in said or n_sealed < MIN_SEALED:
        sys.exit(f"failed: {n_sealed} connections were sealed by the kernel")
    print(f"passed: {n_sealed} connections were sealed by the kernel")


if __name__ == "__main__":
    main()
