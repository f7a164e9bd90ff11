"""C-32: the dev API server's built-in schemas are those that a real API server shows."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "generate_schemas.py"


@pytest.fixture(scope="module")
def documents(api, tmp_path_factory):
    """The server's OpenAPI documents under the names of the published ones."""
    folder = tmp_path_factory.mktemp("openapi")
    paths = api.http.get("/openapi/v3").json()["paths"]
    assert len(paths) > 20
    for path, entry in paths.items():
        answer = api.http.get(entry["serverRelativeURL"])
        assert answer.status_code == 200
        (folder / f"{path.replace('/', '__')}_openapi.json").write_bytes(answer.content)
    return folder


def check(folder):
    return subprocess.run(
        [sys.executable, SCRIPT, "--check", "--openapi", folder],
        capture_output=True,
        text=True,
        check=False,
    )


def test_c32_schemas_are_what_the_real_api_server_shows(documents):
    done = check(documents)
    assert (done.returncode, done.stderr) == (0, "")


def test_c32_a_difference_is_told(documents, tmp_path):
    for document in documents.iterdir():
        text = document.read_text(encoding="utf-8")
        (tmp_path / document.name).write_text(
            text.replace("externalTrafficPolicy", "externalTrafficRule"), encoding="utf-8"
        )
    done = check(tmp_path)
    assert done.returncode == 1
    assert "builtin.json" in done.stderr
