"""Where the binaries are looked for, and what is said when they are not there."""

from pathlib import Path

import pytest
from tests.unit.envtest.programs import make_binaries

from ferrolb.envtest import EnvtestError, find_binaries


def test_named_folder_of_ready_binaries_comes_first(tmp_path):
    made = make_binaries(tmp_path / "ready")
    make_binaries(tmp_path / "ours")
    environment = {
        "KUBEBUILDER_ASSETS": str(tmp_path / "ready"),
        "FERROLB_ENVTEST_DIR": str(tmp_path / "ours"),
    }
    assert find_binaries(environment) == made


def test_our_own_build_is_used_without_a_named_folder(tmp_path):
    made = make_binaries(tmp_path / "ours")
    environment = {"KUBEBUILDER_ASSETS": "", "FERROLB_ENVTEST_DIR": str(tmp_path / "ours")}
    assert find_binaries(environment) == made


def test_our_own_build_is_in_the_cache_unless_said_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".cache" / "ferrolb").mkdir(parents=True)
    made = make_binaries(tmp_path / ".cache" / "ferrolb" / "envtest")
    assert find_binaries({}) == made


def test_ready_folders_may_lack_what_not_every_use_needs(tmp_path):
    make_binaries(tmp_path / "ready", without=("kube-controller-manager", "kube-proxy"))
    found = find_binaries({"KUBEBUILDER_ASSETS": str(tmp_path / "ready")})
    assert (found.kube_controller_manager, found.kube_proxy) == (None, None)


@pytest.mark.parametrize("variable", ["KUBEBUILDER_ASSETS", "FERROLB_ENVTEST_DIR"])
@pytest.mark.parametrize("name", ["kube-apiserver", "etcd"])
def test_missing_binary_is_named_with_what_to_do(tmp_path: Path, variable: str, name: str):
    make_binaries(tmp_path / "bin")
    (tmp_path / "bin" / name).unlink()
    advice = {
        "KUBEBUILDER_ASSETS": "KUBEBUILDER_ASSETS names the folder",
        "FERROLB_ENVTEST_DIR": "make envtest-build builds it",
    }[variable]
    with pytest.raises(EnvtestError) as failure:
        find_binaries({variable: str(tmp_path / "bin")})
    assert str(failure.value) == f"no {name} in {tmp_path / 'bin'}: {advice}"
