"""Fixtures: a run to be finished."""

import pytest

from tests.helpers.finals import make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run of three networks."""
    return make_run(tmp_path_factory.mktemp("run") / "r")
