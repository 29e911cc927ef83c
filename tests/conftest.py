"""What all tests share: how hypothesis searches, and `--refuse-skips`, by which CI runs."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The same examples in every run, so that a red test is red for everybody; and no deadline, since machines differ.
settings.register_profile("capsa", deadline=None, derandomize=True)
settings.load_profile("capsa")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refuse-skips", action="store_true", help="fail the run if any test was skipped")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a run with skipped tests into a failed one. Workers of xdist have no reporter: their parent judges."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not session.config.getoption("--refuse-skips"):
        return
    if reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line("A test was skipped: here that is a failure.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
