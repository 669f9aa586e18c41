"""Media at the pace of the player that it is for, as its CMCD (CTA-5004) says."""
import time

from lab import Client, get
from lab_h2 import nghttp

SEGMENT = bytes(1 << 20)
SITES = """sites:
  - hosts: ["*"]
    pace: {bitrate: 150, rtp: true}
"""
# 1 MiB at 9 Mbit/s take 0.93 s. A kernel whose timer came late lets the next packets follow in
# half of their time, so no less than half of it in all.
LEAST = 0.4


def paced_edge(lab):
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", SEGMENT)
    edge = lab.edge(upstreams=[origin.url], workers=1, extra=SITES)
    assert get(edge.url + "/v/1.m4s").body == SEGMENT
    return edge


def seconds(client, target, headers=()):
    began = time.monotonic()
    client.request(target, headers=headers)
    assert client.read().body == SEGMENT
    return time.monotonic() - began


def test_a_player_that_says_its_bitrate_is_sent_somewhat_more(lab):
    edge = paced_edge(lab)
    with Client(edge.port) as client:
        assert seconds(client, "/v/1.m4s?CMCD=br%3D6000%2Cot%3Dv") > LEAST
        assert seconds(client, "/v/1.m4s", [("CMCD-Status", "rtp=9000")]) > LEAST
        # From then on it says nothing, or is in need: the connection has no bound any more.
        paced = seconds(client, "/v/1.m4s?CMCD=br%3D3000%2Cot%3Dv")
        assert seconds(client, "/v/1.m4s") < paced
        assert seconds(client, "/v/1.m4s?CMCD=br%3D3000%2Csu") < paced


def test_responses_of_one_http2_connection_have_their_sum(lab):
    edge = paced_edge(lab)
    began = time.monotonic()
    got = nghttp("-w", "30", "-W", "30",
                 *(f"{edge.url}/v/1.m4s?CMCD=br%3D6000%2Csid%3D%22{i}%22" for i in range(2)))
    assert len(got) == 2 * len(SEGMENT)
    assert time.monotonic() - began > LEAST
