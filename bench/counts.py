"""How many requests the API server has answered."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

_COUNTED = "apiserver_request_total{"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE", "APPLY"})
_STATUSES = frozenset({"services/status", "ipaddresspools/status"})
_OURS = frozenset(
    {
        "addresspools",
        "bgpadvertisements",
        "communities",
        "configurationstates",
        "events",
        "ipaddresspools",
        "l2advertisements",
        "namespaces",
        "nodes",
        "pods",
        "secrets",
        "servicel2statuses",
        "services",
        "endpointslices",
        "configmaps",
    }
)
"""What the programs ask for. A real API server also counts what it asks of itself."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Answered requests by verb, and resource with subresource; refused ones counted apart."""

    answered: Counter[tuple[str, str]]
    refused: Counter[tuple[str, str]]

    @classmethod
    def from_metrics(cls, text: str) -> Self:
        """Read what the server serves as `/metrics`; requests for no resource are left out."""
        answered: Counter[tuple[str, str]] = Counter()
        refused: Counter[tuple[str, str]] = Counter()
        # a real server shows two megabytes of other things, which are not looked at
        lines = [line for line in text.splitlines() if line.startswith(_COUNTED)]
        for family in text_string_to_metric_families("\n".join([*lines, ""])):
            for sample in family.samples:
                labels = sample.labels
                if labels["resource"] not in _OURS:
                    continue
                names = (labels["resource"], labels["subresource"])
                counter = answered if labels["code"].startswith("2") else refused
                counter[labels["verb"], "/".join(filter(None, names))] += int(sample.value)
        return cls(answered, refused)

    def since(self, before: "Requests") -> "Requests":
        """Return what has come after `before`."""
        return Requests(self.answered - before.answered, self.refused - before.refused)

    def writes_to(self, *resources: str) -> int:
        """Return how many writes to these resources were answered; without names, to any."""
        return sum(
            number
            for (verb, resource), number in self.answered.items()
            if verb in _WRITES and (not resources or resource in resources)
        )

    @property
    def service_statuses(self) -> int:
        """Successful status writes to Services."""
        return self.writes_to("services/status")

    @property
    def statuses(self) -> int:
        """Successful status writes to Services and pools."""
        return self.writes_to(*_STATUSES)

    def named(self) -> dict[str, int]:
        """Return all counts by a readable name, sorted."""
        names = {" ".join(key): number for key, number in self.answered.items()}
        names |= {f"{' '.join(key)} (refused)": number for key, number in self.refused.items()}
        return dict(sorted(names.items()))
