"""Sends one request to several servers and compares the answers, whatever each of them calls its things.

Requests and compared answers hold symbols, such as `«E1»` for the first experiment; each server has its own id for it,
and this module alone knows which. Times of the server's own clock are compared by their presence.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests
from servers import Server

API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
SECONDS = 60

_SYMBOL = re.compile("«[A-Z]+[0-9]+»")
_EXPERIMENT_IN_MESSAGE = re.compile(r"(?<=xperiment )'(\d+)'|(?<=with id )'(\d+)'|(?<=\(id )(\d+)(?=,)")
_IDS = {"experiment_id", "run_id", "run_uuid"}
_LOCATIONS = {"artifact_uri", "artifact_location", "root_uri"}
_CLOCK = {"creation_time", "last_update_time"}
_UNORDERED = {"tags", "dataset_inputs", "model_inputs", "model_outputs", "dataset_summaries"}


@dataclass
class Answer:
    """What one server said; `body` is JSON with symbols for names, or the bytes of a file."""

    status: int
    body: Any
    raw: Any

    @property
    def ok(self) -> bool:
        return self.status == 200

    def comparable(self) -> str:
        """Equal for equal answers only: tells 1 from 1.0 and 0.0 from -0.0."""
        return f"{self.status} {self.body!r}"


@dataclass
class Names:
    """The symbols of one server's things, in both directions."""

    real: dict[str, str] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)

    def learn(self, symbol: str, real: str) -> None:
        self.real[symbol] = real
        self.symbols[real] = symbol

    def to_real(self, value: Any) -> Any:
        if isinstance(value, str):
            return _SYMBOL.sub(lambda match: self.real.get(match[0], match[0]), value)
        if isinstance(value, dict):
            return {key: self.to_real(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.to_real(item) for item in value]
        return value

    def to_symbols(self, value: Any, name: str = "", inside: str = "") -> Any:
        """`value` of the field `name` of the object `inside`, in the form that all servers share."""
        if isinstance(value, dict):
            return {key: self.to_symbols(item, key, name) for key, item in sorted(value.items())}
        if isinstance(value, list):
            items = [self.to_symbols(item, name, inside) for item in value]
            return sorted(items, key=repr) if name in _UNORDERED or inside == "data" else items
        if name in _CLOCK:
            return "a time"
        return self._text(value, name) if isinstance(value, str) else value

    def _text(self, value: str, name: str) -> str:
        if name in _IDS:
            return self.symbols.get(value, value)
        if name in _LOCATIONS:
            return "/".join(self.symbols.get(part, part) for part in value.split("/"))
        if name == "next_page_token":
            return "a token"
        if name == "message":
            return self._message(value)
        return value

    def _message(self, text: str) -> str:
        for real, symbol in self.symbols.items():
            if len(real) >= 18:
                text = text.replace(real, symbol)
        return _EXPERIMENT_IN_MESSAGE.sub(lambda match: self._quoted(match), text)

    def _quoted(self, match: re.Match[str]) -> str:
        real = next(group for group in match.groups() if group)
        return match[0].replace(real, self.symbols.get(real, real))


class Lockstep:
    """Servers that are to answer every request alike."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = [(server, Names(), requests.Session()) for server in servers]
        self._counts: dict[str, int] = {}

    def post(self, operation: str, body: Any) -> Answer:
        return self.send("POST", f"{API}/{operation}", body=body)

    def get(self, operation: str, **query: Any) -> Answer:
        return self.send("GET", f"{API}/{operation}", query=query)

    def send(
        self,
        verb: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, Any] | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send to every server, and return the first one's answer.

        Raises:
            AssertionError: the servers' answers differ, or one is a fault of the server (5xx, but for 501).
        """

        def to_one(server: Server, names: Names, session: requests.Session) -> Answer:
            data = content if content is not None else _json(names.to_real(body))
            kind = {} if data is None or content is not None else {"Content-Type": "application/json"}
            response = session.request(
                verb,
                server.url + quote(names.to_real(path)),
                params=names.to_real(query),
                data=data,
                headers={**kind, **(headers or {})},
                timeout=SECONDS,
            )
            return _answer(response, names)

        asked = f"{verb} {path} query={query!r} body={body!r} content={content!r}"
        return self._compared(asked, to_one)

    def _compared(self, asked: str, to_one: Callable[..., Answer]) -> Answer:
        answers = [to_one(*each) for each in self._servers]
        report = "\n".join(
            f"  {server.store}: {answer.comparable()[:3000]}"
            for (server, _, _), answer in zip(self._servers, answers, strict=True)
        )
        assert len({answer.comparable() for answer in answers}) == 1, f"answers differ to {asked[:3000]}\n{report}"
        assert answers[0].status < 500 or answers[0].status == 501, f"a fault on {asked[:3000]}\n{report}"
        self._latest = answers
        return answers[0]

    def name(self, kind: str, find: Callable[[Any], str]) -> str:
        """A new symbol for what `find` finds in each server's own latest answer."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        symbol = f"«{kind}{self._counts[kind]}»"
        for (_, names, _), answer in zip(self._servers, self._latest, strict=True):
            names.learn(symbol, find(answer.raw))
        return symbol

    def close(self) -> None:
        for _, _, session in self._servers:
            session.close()


def _json(body: Any) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _answer(response: requests.Response, names: Names) -> Answer:
    if not response.headers.get("Content-Type", "").startswith("application/json"):
        return Answer(response.status_code, response.content, response.content)
    if "Content-Disposition" in response.headers:
        return Answer(response.status_code, response.content, response.content)
    raw = response.json()
    return Answer(response.status_code, _by_run(names.to_symbols(raw)), raw)


def _by_run(body: Any) -> Any:
    """Bulk histories come in the order of run ids, which no two servers share: sorted by run, each in its own order."""
    points = body.get("metrics") if isinstance(body, dict) else None
    if not points:
        return body
    return {**body, "metrics": sorted(points, key=lambda point: str(point.get("run_id")))}
