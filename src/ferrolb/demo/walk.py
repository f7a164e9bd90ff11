"""Walk through the steps: apply, wait, show, say what is to be seen, and check it."""

import importlib.resources
import json
import tempfile
import time
from contextlib import AbstractContextManager
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from ferrolb.demo.cluster import Cluster, DemoError, running_cluster, running_lab
from ferrolb.demo.steps import FINAL_DESCRIBE, STEPS, Step
from ferrolb.demo.traffic import REACHABLE, Say, await_event, describe, show_traffic
from ferrolb.lab import LabOptions, check_machine

_STEP_DEADLINE_S: Final = 10.0
"""Seconds until a step must show its result; it takes a few hundredths of one."""
_POLL_S: Final = 0.05


def run_demo(options: LabOptions, *, keep: bool, say: Say) -> None:
    """Run the main job; with `keep` stay up until interrupted.

    Args:
        options: what kind of lab; it is given a name of its own.
        keep: leave the cluster running at the end and say how to use it.
        say: prints one piece of text, without a line break of its own.

    Raises:
        DemoError: a program did not start, or a Service did not get what it must.
    """
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="ferrolb-") as name,
        _running(Path(name), options, say) as up,
    ):
        say(f"The cluster is up ({time.monotonic() - began:.1f} s).\n")
        steps = [step for step in STEPS if up.lab is not None or not step.needs_lab]
        for number, step in enumerate(steps, start=1):
            _show(up, step, heading=f"{number}. {step.title}", say=say)
        _show_all(up, say)
        say(f"\nEvery Service got what it must, in {time.monotonic() - began:.1f} s.\n")
        if up.lab is not None and up.judge is not None:
            show_traffic(up.lab, up.judge, say)
        if keep:
            _stay(up, say)


def _running(folder: Path, options: LabOptions, say: Say) -> AbstractContextManager[Cluster]:
    """Return a lab if the machine can run one; else say why not, and the API part alone."""
    problems = check_machine()
    if not problems:
        return running_lab(folder, options, progress=lambda line: say(f"{line}\n"))
    say("This machine cannot run the network lab, so what follows is the API part alone:\n")
    for problem in problems:
        say(f"  {problem.text}\n    {problem.advice}\n")
    return running_cluster(folder, options.api)


def _show(up: Cluster, step: Step, *, heading: str, say: Say) -> None:
    say(f"\n== {heading}\n{step.says}\n\n")
    for address in {address for one, address in step.addresses if (one, address) in REACHABLE}:
        if up.judge is not None:
            up.judge.expect(ip_address(address))
    _apply(up, step.manifest, say)
    if step.without_lab and up.lab is None:
        _apply(up, step.without_lab, say)
    for service, address in step.addresses:
        _await_address(up, service, address)
    for service, message in step.refused:
        _await_refusal(up, service, message)
    names = [service for service, _ in (*step.addresses, *step.refused)]
    if names:
        say(f"\n$ kubectl get service {' '.join(names)}\n")
        say(up.kubectl("get", "service", *names))
    if step.describe:
        describe(up, step.describe, say)


def _apply(up: Cluster, manifest: str, say: Say) -> None:
    with importlib.resources.as_file(
        importlib.resources.files("ferrolb.demo").joinpath("manifests", manifest)
    ) as path:
        say(f"$ kubectl apply -f {manifest}\n")
        say(up.kubectl("apply", "-f", str(path)))


def _show_all(up: Cluster, say: Say) -> None:
    say("\n== 33.9.5 The result\n\n$ kubectl get svc -A\n")
    say(up.kubectl("get", "svc", "-A"))
    if up.lab is not None:
        await_event(up, FINAL_DESCRIBE)
    describe(up, FINAL_DESCRIBE, say)
    say("\n$ kubectl get ipaddresspools -n metallb-system\n")
    say(up.kubectl("get", "ipaddresspools", "-n", "metallb-system"))


def _await_address(up: Cluster, service: str, address: str) -> None:
    up.kubectl(
        "wait",
        f"service/{service}",
        "--for=jsonpath={.status.loadBalancer.ingress[0].ip}",
        f"--timeout={_STEP_DEADLINE_S:.0f}s",
    )
    given = up.kubectl(
        "get", "service", service, "-o", "jsonpath={.status.loadBalancer.ingress[*].ip}"
    )
    if given != address:
        raise DemoError(f"service {service} has {given or 'no address'}, expected {address}")


def _await_refusal(up: Cluster, service: str, message: str) -> None:
    deadline = time.monotonic() + _STEP_DEADLINE_S
    selector = f"involvedObject.name={service},reason=AllocationFailed,type=Warning"
    while time.monotonic() < deadline:
        listed = json.loads(up.kubectl("get", "events", "-o=json", f"--field-selector={selector}"))
        if any(event["message"] == message for event in listed["items"]):
            return
        time.sleep(_POLL_S)
    raise DemoError(f"service {service} has no AllocationFailed event that says: {message}")


def _stay(up: Cluster, say: Say) -> None:
    say(
        "\nThe cluster stays up. In another terminal:\n\n"
        f"  export KUBECONFIG={up.kubeconfig}\n"
        "  kubectl get svc -A --watch\n"
        "  kubectl annotate svc any-address metallb.io/address-pool=on-request\n\n"
        f"{_lab_hint(up)}"
        f"Logs are in {up.folder if up.lab is None else up.lab.folder}. Press Ctrl-C to end it.\n"
    )
    try:
        while True:
            up.check()
            time.sleep(1)
    except KeyboardInterrupt:
        say("\n")


def _lab_hint(up: Cluster) -> str:
    if up.lab is None:
        return ""
    name = up.lab.name
    return (
        f"  ferrolb lab exec --name {name} client -- curl http://172.31.249.7/\n"
        f"  ferrolb lab fault --name {name} kill n1\n\n"
    )
