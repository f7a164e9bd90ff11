"""What came of asking for addresses again and again: who answered, and when nobody did."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Self

from ferrolb.model import IPAddress, Json, JsonObject, NodeName

SPANS_KEPT: Final = 20_000
"""An address; a span covers any number of questions with the same outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Questions one after the other that the same nodes answered."""

    first: float
    """When the first of them was asked, monotonic seconds."""
    last: float
    """When the last of them was asked."""
    questions: int
    nodes: tuple[NodeName, ...]
    """Sorted; empty: nobody answered."""
    first_answer: float | None = None
    last_answer: float | None = None

    def to_json(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "first": self.first,
            "last": self.last,
            "questions": self.questions,
            "nodes": [*self.nodes],
            "first_answer": self.first_answer,
            "last_answer": self.last_answer,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        """Read what `to_json` returned."""
        nodes = value["nodes"]
        return cls(
            first=_number(value["first"]) or 0.0,
            last=_number(value["last"]) or 0.0,
            questions=int(_number(value["questions"]) or 0),
            nodes=tuple(NodeName(str(node)) for node in nodes) if isinstance(nodes, list) else (),
            first_answer=_number(value["first_answer"]),
            last_answer=_number(value["last_answer"]),
        )


@dataclass(slots=True)
class _Question:
    asked: float
    answers: dict[NodeName, float]
    last_answer: float | None = None


class Timeline:
    """The outcome of the questions for one address, equal neighbours put together."""

    def __init__(self, *, limit: int = SPANS_KEPT) -> None:
        self._limit = limit
        self._spans: list[Span] = []
        self._open: _Question | None = None

    def on_question(self, *, now: float) -> None:
        """A question has been sent; answers count for it until the next one."""
        self.finish()
        self._open = _Question(now, {})

    def on_answer(self, node: NodeName, *, now: float) -> None:
        """A node has answered."""
        if self._open is not None and now >= self._open.asked:
            self._open.answers.setdefault(node, now)
            self._open.last_answer = now

    def finish(self) -> None:
        """No answer to the newest question is expected any more."""
        question, self._open = self._open, None
        if question is None:
            return
        span = Span(
            first=question.asked,
            last=question.asked,
            questions=1,
            nodes=tuple(sorted(question.answers)),
            first_answer=min(question.answers.values(), default=None),
            last_answer=question.last_answer,
        )
        before = self._spans[-1] if self._spans else None
        if before is None or before.nodes != span.nodes:
            self._spans.append(span)
            del self._spans[: -self._limit]
            return
        self._spans[-1] = Span(
            first=before.first,
            last=span.last,
            questions=before.questions + 1,
            nodes=span.nodes,
            first_answer=before.first_answer,
            last_answer=span.last_answer,
        )

    def spans(self, *, since: float = 0.0) -> tuple[Span, ...]:
        """Return the spans that had not ended at `since`; the newest question is not in it yet."""
        return tuple(span for span in self._spans if span.last >= since)


def silences(spans: Sequence[Span]) -> Iterator[tuple[float, float]]:
    """Return when nobody answered: from the last answer, or first question, to the next answer."""
    for number, span in enumerate(spans):
        if not span.nodes:
            # neighbours of a silent span are never silent themselves
            before = spans[number - 1].last_answer if number else None
            after = spans[number + 1].first_answer if number + 1 < len(spans) else None
            yield before or span.first, after or span.last


def doubles(spans: Sequence[Span]) -> Iterator[Span]:
    """Return the spans in which several nodes answered the same question."""
    return (span for span in spans if len(span.nodes) > 1)


def read_spans(value: Json) -> dict[IPAddress, tuple[Span, ...]]:
    """Read spans by address, as the witness tells them."""
    if not isinstance(value, dict):
        return {}
    return {
        ip_address(ip): tuple(Span.from_json(one) for one in spans if isinstance(one, dict))
        for ip, spans in value.items()
        if isinstance(spans, list)
    }


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
