"""How many requests the API server has answered."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE", "APPLY"})
_STATUSES = frozenset({"services/status", "ipaddresspools/status"})


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
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = sample.labels
                if sample.name != "apiserver_request_total" or not labels["resource"]:
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
