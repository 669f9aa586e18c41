"""Fixtures of the scenario tests: see tests/support/lab.py."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from lab import Lab  # noqa: E402
from lab_script import Stage  # noqa: E402
from lab_tls import Authority  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: a scenario runs or fails"
    for node in (item, item.getparent(pytest.Module)):
        node.failed = getattr(node, "failed", False) or report.failed


@pytest.fixture
def lab(request):
    lab = Lab()
    yield lab
    lab.close(failed=getattr(request.node, "failed", False))


@pytest.fixture(scope="module")
def module_lab(request):
    """For what all tests of a file share."""
    lab = Lab()
    yield lab
    lab.close(failed=getattr(request.node, "failed", False))


@pytest.fixture(scope="module")
def stage(module_lab):
    """See tests/support/lab_script.py."""
    return Stage(module_lab)


@pytest.fixture(scope="module")
def authority(module_lab):
    """Signs certificates, and is trusted: see tests/support/lab_tls.py."""
    return Authority(module_lab.dir / "ca")


@pytest.fixture(scope="module")
def stranger(module_lab):
    """Signs certificates that nobody trusts."""
    return Authority(module_lab.dir / "stranger", "Nobody")


@pytest.fixture(scope="module")
def edge(module_lab):
    """One over a scripted origin, `edge.origin`, for a file that has none of its own."""
    edge = module_lab.edge(upstreams=[module_lab.scripted_origin().url])
    edge.origin = module_lab.origins[0]
    return edge
