import click
import pytest

from ferrolb.cli.lab_options import find_kube_proxy
from ferrolb.lab import ApiKind, ProxyKind

NEEDED = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-proxy")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that has every program."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("FERROLB_ENVTEST_DIR", str(tmp_path))
    for name in NEEDED:
        (tmp_path / name).touch()
    return tmp_path


def test_nothing_is_looked_for_where_nothing_real_is_wanted(folder):
    for name in NEEDED:
        (folder / name).unlink()
    assert find_kube_proxy(ApiKind.DEV, None) is None
    assert find_kube_proxy(ApiKind.DEV, ProxyKind.OWN) is None


def test_the_real_proxy_is_found_when_wanted_or_left_open_beside_a_real_server(folder):
    assert find_kube_proxy(ApiKind.DEV, ProxyKind.REAL) == folder / "kube-proxy"
    assert find_kube_proxy(ApiKind.REAL, None) == folder / "kube-proxy"
    assert find_kube_proxy(ApiKind.REAL, ProxyKind.OWN) is None
    (folder / "kube-proxy").unlink()
    assert find_kube_proxy(ApiKind.REAL, None) is None


@pytest.mark.parametrize(
    ("missing", "api", "kube_proxy"),
    [
        ("kube-apiserver", ApiKind.REAL, None),
        ("etcd", ApiKind.REAL, None),
        ("kube-controller-manager", ApiKind.REAL, ProxyKind.OWN),
        ("kube-proxy", ApiKind.DEV, ProxyKind.REAL),
    ],
)
def test_a_missing_program_is_named_with_what_builds_it(folder, missing, api, kube_proxy):
    (folder / missing).unlink()
    with pytest.raises(click.ClickException, match=f"no {missing} in .*make envtest-build"):
        find_kube_proxy(api, kube_proxy)
