from ferrolb.runtime import DEFAULT_NAMESPACE, own_namespace


def test_flag_wins_over_everything(tmp_path):
    account = tmp_path / "namespace"
    account.write_text("from-account\n")
    environment = {"METALLB_NAMESPACE": "from-environment"}
    assert own_namespace("from-flag", environment, account_file=account) == "from-flag"


def test_environment_wins_over_the_service_account(tmp_path):
    account = tmp_path / "namespace"
    account.write_text("from-account\n")
    environment = {"METALLB_NAMESPACE": "from-environment"}
    assert own_namespace("", environment, account_file=account) == "from-environment"


def test_service_account_file_is_stripped(tmp_path):
    account = tmp_path / "namespace"
    account.write_text("from-account\n")
    assert own_namespace("", {}, account_file=account) == "from-account"


def test_default_where_nothing_says_otherwise(tmp_path):
    assert own_namespace("", {}, account_file=tmp_path / "absent") == DEFAULT_NAMESPACE
    assert DEFAULT_NAMESPACE == "metallb-system"
