"""Thousands of faults: no cut or mixed body ever passes as complete."""
import threading

from lab_faults import Breaker, Reader
from lab_wire import SHARE

FAULTS, READERS = 10_000 // SHARE, 96


def run_readers(edge, breaker, problems):
    """Readers who ask for ever new objects, four times each, until enough has broken."""
    lock, asked = threading.Lock(), [0]

    def run(reader):
        while breaker.injected() < FAULTS and not problems:
            with lock:
                asked[0] += 1
                number = asked[0] // 4
            try:
                reader.ask(f"/f/{number}.m4s" if number % 3 else f"/f/{number}")
            except Exception as problem:  # noqa: BLE001 - told by the test
                problems.append(repr(problem))

    readers = [Reader(edge.port, seed) for seed in range(READERS)]
    threads = [threading.Thread(target=run, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return readers


def test_no_body_that_is_cut_or_mixed_passes_as_complete(lab):
    breaker, problems = Breaker(seed=1), []
    origins = [lab.scripted_origin(f"origin-{i}") for i in range(2)]
    for origin in origins:
        origin.on_any(breaker)
    edge = lab.edge(upstreams=[origin.url for origin in origins], memory="32MiB", workers=2,
                    extra="timeouts: { upstream_body: 300ms, upstream_head: 2s }\n"
                          "failover: { after: 1000 }\n")
    readers = run_readers(edge, breaker, problems)
    assert not problems, problems[:3]
    counts = dict(sorted(breaker.counts.items()))
    whole, cut, errors = (sum(getattr(r, name) for r in readers)
                          for name in ("n_whole", "n_cut", "n_errors"))
    print(f"{breaker.injected()} faults {counts}: {whole} whole, {cut} cut, {errors} errors")
    assert breaker.injected() >= FAULTS and min(counts.values()) > FAULTS // 500
    assert whole > FAULTS // 10 and cut > FAULTS // 100
