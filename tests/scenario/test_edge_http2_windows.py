"""What an HTTP/2 client allows is sent at once, however far away it is."""
import pytest
from lab_h2 import DATA, END_STREAM, HEADERS, WIDE, WIDE_CONNECTION, Frames

SEGMENT = bytes(i * 7 % 251 for i in range(1 << 20))


def data_of(frames):
    return b"".join(frame.payload for frame in frames if frame.type == DATA)


@pytest.fixture(scope="module")
def edge(module_lab):
    origin = module_lab.scripted_origin()
    origin.put("/seg.m4s", SEGMENT)
    return module_lab.edge(upstreams=[origin.url])


@pytest.mark.parametrize("what", ["miss", "hit"])
def test_a_segment_waits_for_no_word_of_its_client(edge, what):
    """After its request the client says nothing: a distance of 50 ms costs 50 ms."""
    with Frames(edge.port, WIDE) as viewer:
        viewer.send(WIDE_CONNECTION)
        viewer.get(1, "/seg.m4s")
        frames = viewer.read_until(lambda frame: frame.type == DATA and frame.flags & END_STREAM)
        assert data_of(frames) == SEGMENT, what
        assert sum(frame.type == HEADERS for frame in frames) == 1


def test_a_window_is_filled_to_its_last_byte(edge):
    """Of the 65535 that every connection begins with, and of each more that is given."""
    with Frames(edge.port, WIDE) as viewer:
        viewer.get(1, "/seg.m4s")
        n = 0
        while n < 65535:
            n += len(data_of([viewer.read()]))
        assert n == 65535
        viewer.send(WIDE_CONNECTION)
        n += len(data_of(viewer.read_until(lambda frame: frame.flags & END_STREAM
                                           and frame.type == DATA)))
        assert n == len(SEGMENT)
