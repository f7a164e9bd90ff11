from collections.abc import Iterator

import pytest
from tests.cluster import Cluster, running_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One API server and one controller for all tests of a module."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as up:
        up.start_controller()
        yield up
