"""A real cloud for the tests of this folder."""

from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cloud import cloud as clouds
from tests.cloud.cloud import Cloud
from tests.cloud.environment import installed
from tests.cloud.services import Options


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest) -> Generator[Cloud]:
    """One cloud for all tests; each makes images of its own."""
    if (file := request.config.getoption("--cloud")) is not None:
        yield clouds.read(Path(file))
        return
    assert request.config.cache is not None
    environment = installed(request.config.cache.mkdir("cloud"))
    # PostgreSQL runs as another user, who can't enter pytest's own folder.
    with TemporaryDirectory(prefix="gateway-cloud-") as folder:
        Path(folder).chmod(0o755)
        with clouds.running(Path(folder), environment, Options(glance_workers=2)) as cloud:
            yield cloud


@pytest.fixture
def bus_url(cloud: Cloud) -> str:
    """Where Glance's notifications are; skips where RabbitMQ is not installed."""
    if cloud.bus_url is None:
        pytest.skip("rabbitmq-server is not installed")
    return cloud.bus_url
