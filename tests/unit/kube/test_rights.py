from structlog.testing import capture_logs

from ferrolb.kube import ForbiddenError, Rights, refused_right
from ferrolb.kube.rights import MAX_MISSING
from ferrolb.rbac import Program, Right

LIST = "https://h:1/api/v1/services?limit=500"
REFUSED = (
    'services is forbidden: User "system:serviceaccount:metallb-system:controller" cannot list '
    'resource "services" in API group "" at the cluster scope'
)
SERVICES = Right(resource="services", verb="list")


def test_a_refusal_by_the_roles_names_the_right_and_one_by_admission_does_not():
    assert refused_right("GET", LIST, ForbiddenError(REFUSED)) == SERVICES
    for text in (
        'admission webhook "x" denied the request: no',
        'events "a" is forbidden: unable to create new content in namespace b because it is '
        "being terminated",
        'configurationstates "c" is forbidden: cannot set an ownerRef on a resource you can\'t '
        "delete: , <nil>",
    ):
        assert refused_right("GET", LIST, ForbiddenError(text)) is None


def test_a_missing_right_is_said_once_with_what_to_add_until_it_is_granted():
    with capture_logs() as logs:
        rights = Rights(Program.CONTROLLER)
        changes: list[int] = []
        rights.subscribe(lambda: changes.append(len(rights.missing)))
        rights.on_refused(SERVICES)
        rights.on_refused(SERVICES)
        rights.on_granted("GET", "https://h:1/api/v1/nodes")
        rights.on_granted("GET", "https://h:1/version")
        [line] = rights.lines()
        rights.on_granted("GET", LIST)
        rights.on_granted("GET", LIST)
    add = '- {apiGroups: [""], resources: ["services"], verbs: ["list"]}'
    assert line.startswith(f"ClusterRole (cluster) lacks: {add} # the program waits")
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("a right is missing", "error"),
        ("a right is there again", "info"),
    ]
    assert (logs[0]["add"], logs[0]["to"], logs[0]["verb"]) == (add, "ClusterRole", "list")
    assert rights.missing == ()
    assert changes == [1, 0]


def test_c01_c17_what_there_is_a_way_without_is_not_told():
    with capture_logs() as logs:
        rights = Rights(Program.CONTROLLER)
        rights.on_refused(Right(resource="services/status", verb="patch", namespace="a", name="b"))
        rights.on_refused(
            Right(group="metallb.io", resource="addresspools", verb="list", namespace="a")
        )
    assert (logs, rights.missing) == ([], ())


def test_c01_where_replacing_is_refused_too_the_right_to_patch_is_asked_for():
    with capture_logs():
        rights = Rights(Program.CONTROLLER)
        rights.on_refused(Right(resource="services/status", verb="update", namespace="a", name="b"))
        assert rights.missing == (Right(resource="services/status", verb="patch"),)
        rights.on_granted("PATCH", "https://h:1/api/v1/namespaces/other/services/x/status")
    assert not rights.missing


def test_a_server_that_refuses_everything_fills_no_memory():
    with capture_logs():
        rights = Rights(Program.SPEAKER)
        for number in range(MAX_MISSING + 10):
            rights.on_refused(Right(resource=f"r{number}", verb="get"))
    assert len(rights.missing) == MAX_MISSING
