"""What the fault gate takes as a rule, which requests a rule is about, how often it acts."""

import asyncio
import json
from typing import Any

import pytest

from ferrolb.devserver.fault_gate import Caller, FaultGate, check_reach
from ferrolb.devserver.fault_rules import (
    MAX_DELAY_S,
    MAX_RULES,
    Cut,
    Delay,
    FaultRule,
    FaultRuleError,
    FaultTable,
    Match,
    Refuse,
    RequestFacts,
    WatchEnd,
    WatchError,
    WatchStall,
    covers,
    parse_rule,
)
from ferrolb.runtime import StartupError

END = {"type": "WatchEnd"}
PATCH = RequestFacts(
    verb="patch",
    resource="services",
    subresource="status",
    namespace="shop",
    name="web",
    user="kubernetes-admin",
    user_agent="ferrolb/1.0",
)
WATCH = RequestFacts(verb="watch", group="metallb.io", resource="ipaddresspools")


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ({"action": END}, FaultRule(action=WatchEnd())),
        (
            {"action": {"type": "Delay", "seconds": 2}, "times": 3, "seconds": 60},
            FaultRule(action=Delay(seconds=2.0), times=3, seconds=60.0),
        ),
        (
            {
                "match": {"verbs": ["update", "patch"], "group": "", "userAgentPrefix": "ferrolb/"},
                "action": {"type": "Cut", "where": "AfterWork"},
                "probability": 0.25,
                "seed": 7,
            },
            FaultRule(
                match=Match(verbs=("update", "patch"), group="", user_agent_prefix="ferrolb/"),
                action=Cut(where="AfterWork"),
                probability=0.25,
                seed=7,
            ),
        ),
        (
            {"action": {"type": "Refuse", "code": 429, "retryAfterSeconds": 2}},
            FaultRule(action=Refuse(code=429, retry_after_seconds=2)),
        ),
        ({"action": {"type": "WatchError"}}, FaultRule(action=WatchError(code=410))),
        ({"action": {"type": "WatchStall"}}, FaultRule(action=WatchStall())),
    ],
)
def test_rules_are_read(document, rule):
    assert parse_rule(document) == rule


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ([], "rule: "),
        ({}, "action: Required value"),
        ({"action": END, "time": 1}, "time: Forbidden: unknown field"),
        ({"action": END, "match": {"verb": []}}, "match.verb: Forbidden: unknown field"),
        ({"action": {**END, "code": 410}}, "action.code: Forbidden: unknown field"),
        ({"action": {"type": "Delay"}}, "action.seconds: Required value"),
        ({"action": {"type": "Boom"}}, "action.type: "),
        ({"action": {"type": "Delay", "seconds": MAX_DELAY_S + 1}}, "action.seconds: "),
        ({"action": {"type": "Refuse", "code": 404}}, "action.code: "),
        (
            {"action": {"type": "Refuse", "code": 410, "retryAfterSeconds": 1}},
            "action: Forbidden: retryAfterSeconds is for the codes 429 and 503 only",
        ),
        ({"action": END, "match": {"verbs": ["gett"]}}, "match.verbs[0]: "),
        ({"action": END, "match": {"name": "x" * 254}}, "match.name: "),
        ({"action": END, "probability": float("nan")}, "probability: "),
        ({"action": END, "probability": 0}, "probability: "),
        ({"action": END, "times": 0}, "times: "),
        ({"action": END, "seed": True}, "seed: "),
        (
            {"action": END, "match": {"verbs": ["get"]}},
            "rule: Forbidden: the action is for watches",
        ),
    ],
)
def test_what_is_no_rule_is_refused_by_the_fields_path(document, text):
    with pytest.raises(FaultRuleError) as refused:
        parse_rule(document)
    assert str(refused.value).startswith(text)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (Match(), True),
        (Match(verbs=("get", "patch")), True),
        (Match(verbs=("get",)), False),
        (Match(group=""), True),
        (Match(group="metallb.io"), False),
        (Match(resource="services", subresource="status"), True),
        (Match(subresource=""), False),
        (Match(namespace="shop", name="web"), True),
        (Match(namespace=""), False),
        (Match(name="we"), False),
        (Match(user="kubernetes-admin"), True),
        (Match(user="somebody"), False),
        (Match(user_agent_prefix="ferrolb/"), True),
        (Match(user_agent_prefix="kubectl/"), False),
    ],
)
def test_all_that_a_match_gives_has_to_hold(match, expected):
    assert covers(match, PATCH) is expected


def table_with(*rules: FaultRule) -> FaultTable:
    table = FaultTable()
    for rule in rules:
        table.add(rule, now=0.0)
    return table


def test_delays_add_up_and_the_first_other_action_is_taken():
    table = table_with(
        FaultRule(action=Delay(seconds=1.0)),
        FaultRule(action=WatchEnd()),
        FaultRule(action=Delay(seconds=0.5)),
        FaultRule(action=Refuse(code=500)),
        FaultRule(action=Refuse(code=503)),
    )
    decision = table.decide(PATCH, now=0.0)
    assert (decision.delay_s, decision.action, decision.rule) == (1.5, Refuse(code=500), "4")
    listing: Any = table.listing(now=0.0)
    acted = [one["acted"] for one in listing["rules"]]
    assert acted == [1, 0, 1, 1, 0]
    assert table.decide(WATCH, now=0.0).action == WatchEnd()


def test_no_request_waits_longer_than_the_limit():
    table = table_with(*[FaultRule(action=Delay(seconds=MAX_DELAY_S))] * 2)
    assert table.decide(PATCH, now=0.0).delay_s == MAX_DELAY_S


def test_a_rule_ends_after_its_times_and_after_its_seconds():
    table = table_with(FaultRule(action=Refuse(code=500), times=2, seconds=5.0))
    assert table.decide(PATCH, now=4.9).action is not None
    assert table.decide(PATCH, now=5.0).action is None
    table = table_with(FaultRule(action=Refuse(code=500), times=2))
    assert [table.decide(PATCH, now=0.0).action is None for _ in range(3)] == [False, False, True]
    shown = table.shown("1", now=0.0)
    assert shown is not None
    assert (shown["matched"], shown["acted"], shown["hasEnded"]) == (2, 2, True)


def test_rules_that_have_ended_make_room_and_others_do_not():
    table = table_with(*[FaultRule(action=WatchEnd(), seconds=10.0)] * (MAX_RULES - 1))
    table.add(FaultRule(action=WatchEnd()), now=0.0)
    assert table.add(FaultRule(action=WatchEnd()), now=9.0) is None
    assert table.add(FaultRule(action=WatchEnd()), now=10.0) == str(MAX_RULES + 1)
    assert len(table.keys()) == MAX_RULES
    assert not table.remove("1")
    assert table.remove("2")
    assert not table.remove("2")


@pytest.mark.parametrize(
    ("action", "running"),
    [
        (WatchEnd(), True),
        (WatchError(), True),
        (WatchStall(), True),
        (Cut(where="InBody"), True),
        (Cut(where="AfterWork"), False),
        (Refuse(code=410), False),
        (Delay(seconds=1.0), False),
    ],
)
def test_which_rules_reach_watches_that_are_open(action, running):
    assert FaultRule(action=action).acts_on_running is running


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_where_a_gate_may_stand(host):
    check_reach(host)


@pytest.mark.parametrize("host", ["", ".".join("0000"), "::", "192.0.2.1", "example.org"])
def test_no_gate_where_others_could_reach_it(host):
    with pytest.raises(StartupError, match="loopback"):
        check_reach(host)


class Answer:
    """What a gate before an API that answers nothing says to a request."""

    def __init__(self, gate: FaultGate, method: str, path: str, authorization: str = "") -> None:
        self.code, self.body = 0, b""
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"authorization", authorization.encode())],
        }
        asyncio.run(gate(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Any) -> None:
        self.code = message.get("status", self.code)
        self.body += message.get("body", b"")


async def no_api(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def identify(authorization: str | None) -> Caller | None:
    callers = {"boss": True, "guest": False}
    if authorization not in callers:
        return None
    return Caller(name=authorization, is_administrator=callers[authorization])


@pytest.mark.parametrize(("who", "code"), [("boss", 200), ("guest", 403), ("nobody", 401)])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_faults_are_the_administrators_business(who, code, method):
    answer = Answer(FaultGate(no_api, identify), method, "/ferrolb/faults", who)
    assert answer.code == code
    assert code == 200 or json.loads(answer.body)["code"] == code


def test_what_is_no_request_on_a_resource_is_not_looked_at():
    gate = FaultGate(no_api, identify)
    gate._table.add(FaultRule(action=Refuse(code=500)), now=0.0)
    assert Answer(gate, "GET", "/healthz").code == 299
    assert Answer(gate, "GET", "/ferrolb/faultsx").code == 299
    assert Answer(gate, "HEAD", "/api/v1/nodes").code == 299
    assert Answer(gate, "GET", "/api/v1/nodes").code == 500
    assert Answer(gate, "GET", "/api/v1/nodes/a").code == 500
