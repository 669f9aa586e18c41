"""How connections send is a listener's own affair: congestion control and the most a second."""
import time

from lab import get, until

MIB = bytes(1 << 20)


def edge_with(lab, origin, keys, start=True):
    edge = lab.edge([origin.url], start=False)
    text = edge.config_path.read_text()
    listen = f"  - address: 127.0.0.1:{edge.port}\n"
    edge.config_path.write_text(text.replace(listen, listen + f"    {keys}\n"))
    return edge.start() if start else edge


def test_a_connection_gets_no_more_a_second_than_its_listener_lets_it(lab):
    origin = lab.scripted_origin()
    origin.put("/seg-1.m4s", 2 * MIB)
    edge = edge_with(lab, origin, "congestion: reno\n    rate: 20Mbit/s")
    assert get(edge.url + "/seg-1.m4s").body == 2 * MIB
    began = time.monotonic()
    assert get(edge.url + "/seg-1.m4s").body == 2 * MIB
    # At the rate: 0.84 s. A kernel whose timer came late lets the next packets follow in half of
    # their time, so no less than half of it in all.
    assert time.monotonic() - began > 0.4


def test_a_congestion_control_that_the_kernel_does_not_have_is_named_at_start(lab):
    edge = edge_with(lab, lab.scripted_origin(), "congestion: no_such_control", start=False)
    edge.start(wait=False)
    until(lambda: not edge.is_running(), "it has left")
    assert "edge.yaml:" in edge.log()
    assert "the kernel has no congestion control 'no_such_control': it offers" in edge.log()
    assert edge.wait() == 2
    edge.process = None
