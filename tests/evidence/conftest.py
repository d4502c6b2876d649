"""One Spark for all tests of a process: it takes seconds to start."""

import gc
import shutil
import warnings
from collections.abc import Iterator

import pytest

from careplane.evidence.engines.on_spark import Spark, open_spark


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    """A local Spark with two workers; skipped without Java or pyspark."""
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17, which is not here: apt-get install openjdk-17-jre-headless")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sockets that py4j leaves to the garbage collector
        with open_spark(tmp_path_factory.mktemp("spark"), "local[2]") as engine:
            engine.session.conf.set("spark.sql.shuffle.partitions", "2")  # tables are small here
            yield engine


@pytest.fixture(autouse=True)
def _sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let py4j's forgotten sockets go within the test that made them, which does not mind the warning."""
    yield
    if "spark" in request.fixturenames:
        gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on Spark run in one process, and may leave sockets behind as pyspark does."""
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("spark"))
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
