"""The folder of one control plane, and who holds a data directory."""

import asyncio
import signal

import pytest

from ferrolb.envtest.workplace import open_workplace
from ferrolb.runtime import StartupError


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_folder_is_ours_alone_and_gone_at_the_end(temporary):
    async def scenario():
        async with open_workplace(None) as place:
            assert place.folder.parent == temporary
            assert place.folder.stat().st_mode & 0o777 == 0o700
            (place.folder / "file").touch()
        assert place.janitor.returncode == 0

    asyncio.run(scenario())
    assert not list(temporary.iterdir())


def test_folder_goes_with_a_failure_and_without_a_janitor(temporary):
    async def scenario():
        async with open_workplace(None) as place:
            place.janitor.send_signal(signal.SIGKILL)
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        asyncio.run(scenario())
    assert not list(temporary.iterdir())


def test_no_folder_is_told(tmp_path, monkeypatch):
    # a janitor that cannot start: the interpreter is not one
    monkeypatch.setattr("sys.executable", "/bin/true")

    async def scenario():
        with pytest.raises(StartupError, match="cannot make a folder for temporary files"):
            async with open_workplace(None):
                pass

    asyncio.run(scenario())


def test_data_directory_is_private_and_held(tmp_path):
    data = tmp_path / "deep" / "data"

    async def scenario():
        async with open_workplace(data):
            assert data.stat().st_mode & 0o777 == 0o700
            with pytest.raises(StartupError) as failure:
                async with open_workplace(data, wait_s=0.05):
                    pass
            assert str(failure.value) == f"another server uses {data}"
        async with open_workplace(data, wait_s=0.05):
            pass

    asyncio.run(scenario())


def test_data_directory_is_held_until_the_janitor_is_through(tmp_path):
    async def scenario():
        async with open_workplace(tmp_path / "data") as place:
            place.janitor.send_signal(signal.SIGSTOP)
        with pytest.raises(StartupError, match="another server uses"):
            async with open_workplace(tmp_path / "data", wait_s=0):
                pass
        place.janitor.send_signal(signal.SIGCONT)
        async with open_workplace(tmp_path / "data"):
            assert place.janitor.returncode is not None or await place.janitor.wait() == 0

    asyncio.run(scenario())
