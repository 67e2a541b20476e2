from collections.abc import Iterator

import pytest

from tests.sandbox.running import Sandbox, Shop


@pytest.fixture(scope="package")
def _shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture(scope="package")
def _sandbox(_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"), _shop.url)
    sandbox.start()
    yield sandbox
    sandbox.kill()


@pytest.fixture
def sandbox(_sandbox: Sandbox, _shop: Shop) -> Sandbox:
    """One process for all tests of this folder, emptied before each."""
    _sandbox.post("reset")
    _shop.received.clear()
    _shop.answers.clear()
    return _sandbox


@pytest.fixture
def shop(_shop: Shop) -> Shop:
    return _shop
