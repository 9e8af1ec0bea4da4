import gc
from collections.abc import Iterator

import pytest
from harness import Rig, small_bundle


@pytest.fixture(scope="session", autouse=True)
def only_what_tests_make_is_collected() -> Iterator[None]:
    """Each rig collects garbage as it closes, which takes long where every module's objects are looked through."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> str:
    return small_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def rig(ros, bundle) -> Iterator[Rig]:
    """A robot that obeys at once, and room for the nodes of one test."""
    rig = Rig(bundle)
    yield rig
    rig.close()


def pytest_terminal_summary(terminalreporter) -> None:
    from fault_rig import TABLE

    if TABLE:
        terminalreporter.section("faults in mid-motion")
        terminalreporter.write_line("| fault | seconds to a stationary arm | reason given | work went on |")
        terminalreporter.write_line("|---|---|---|---|")
        for row in TABLE:
            went_on = "yes" if row.resumed else "no"
            terminalreporter.write_line(f"| {row.fault} | {row.still_after_s:.2f} | {row.reason} | {went_on} |")
