"""Options and fixtures of the system tests; see README.md."""
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]

import support  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--binary", default=os.environ.get("SPANWEIR_BINARY", str(ROOT / "build" / "spanweir")),
                     help="program under test (default: SPANWEIR_BINARY, else build/spanweir)")


def pytest_configure(config):
    config.addinivalue_line("markers", "ours: about what only spanweir promises; a Collector skips it")
    config.addinivalue_line("markers", "workers: runs with one worker and with two")


@pytest.fixture(scope="session")
def binary(pytestconfig):
    path = pathlib.Path(pytestconfig.getoption("--binary")).resolve()
    if not path.exists():
        pytest.exit(f"there is no {path}; scripts/build makes it", returncode=2)
    return str(path)


@pytest.fixture(scope="session")
def is_ours(binary):
    return support.is_spanweir(binary)


@pytest.fixture(autouse=True)
def _skip_what_is_only_ours(request, is_ours):
    if request.node.get_closest_marker("ours") and not is_ours:
        pytest.skip("only spanweir promises this")


@pytest.fixture(scope="session", params=[1, 2], ids=["one-worker", "two-workers"])
def appliance(request, is_ours, tmp_path_factory):
    """Environment that sets the number of workers."""
    if not is_ours:
        if request.param > 1:
            pytest.skip("a Collector has no workers")
        return {}
    path = tmp_path_factory.mktemp("appliance") / "appliance.conf"
    path.write_text(f"workers = {request.param};\n", encoding="utf-8")
    return {"SPANWEIR_APPLIANCE": str(path)}


@pytest.fixture
def start(binary):
    """Starts programs and backends, and ends them after the test in the reverse order."""
    with support.Stage(binary) as stage:
        yield stage
