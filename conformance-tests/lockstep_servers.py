"""Sends one request to several servers and compares the answers, whatever each of them calls its things.

Requests and compared answers hold symbols, such as `«E1»` for the first experiment; each server has its own id for it,
and this module alone knows which. Times of the server's own clock are compared by their presence.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests
from servers import Server

API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
SECONDS = 60

# What kind of thing an answer names for the first time, and where in the answer its name is.
New = tuple[str, Callable[[Any], str]]

_SYMBOL = re.compile("«[A-Z]+[0-9]+»")
_EXPERIMENT_IN_MESSAGE = re.compile(
    r"""(?<=xperiment )'(\d+)'|(?<=with id )'(\d+)'|(?<=\(id )(\d+)(?=,)|(?<=['"])(\d+)(?=/)"""
)
_IDS = {"experiment_id", "run_id", "run_uuid"}
_LOCATIONS = {"artifact_uri", "artifact_location", "root_uri"}
_CLOCK = {"creation_time", "last_update_time"}
_UNORDERED = {"tags", "dataset_inputs", "model_inputs", "model_outputs", "dataset_summaries"}


@dataclass
class Answer:
    """What one server said; `body` is JSON with symbols for names, or bytes; `symbol` is for what it newly names."""

    status: int
    body: Any
    symbol: str = ""

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
        self._counts: Counter[str] = Counter()

    def post(self, operation: str, body: Any, new: New | None = None) -> Answer:
        return self.send("POST", f"{API}/{operation}", body=body, new=new)

    def get(self, operation: str, new: New | None = None, **query: Any) -> Answer:
        return self.send("GET", f"{API}/{operation}", query=query, new=new)

    def send(
        self,
        verb: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, Any] | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        new: New | None = None,
    ) -> Answer:
        """Send to every server; `new` says which thing a good answer names for the first time.

        Raises:
            AssertionError: the servers' answers differ, or one is a fault of the server (5xx, but for 501).
        """
        is_json = content is None and body is not None
        responses = [
            session.request(
                verb,
                server.url + quote(names.to_real(path)),
                params=names.to_real(query),
                data=json.dumps(names.to_real(body)).encode() if is_json else content,
                headers={**({"Content-Type": "application/json"} if is_json else {}), **(headers or {})},
                timeout=SECONDS,
            )
            for server, names, session in self._servers
        ]
        symbol = self._learn(responses, new) if new else ""
        answers = [
            _answer(response, names, symbol) for response, (_, names, _) in zip(responses, self._servers, strict=True)
        ]
        self._compare(f"{verb} {path} query={query!r} body={body!r} content={content!r}", answers)
        return answers[0]

    def _learn(self, responses: list[requests.Response], new: New) -> str:
        kind, find = new
        found = [find(response.json()) if response.status_code == 200 else "" for response in responses]
        if not all(found):
            return ""
        self._counts[kind] += 1
        symbol = f"«{kind}{self._counts[kind]}»"
        for (_, names, _), real in zip(self._servers, found, strict=True):
            names.learn(symbol, real)
        return symbol

    def _compare(self, asked: str, answers: list[Answer]) -> None:
        told = [answer.comparable() for answer in answers]
        apart = next((at for at, each in enumerate(zip(*told, strict=False)) if len(set(each)) > 1), 0)
        start = max(0, apart - 200)
        report = "".join(
            f"\n  {server.store}: {text[:200]} … {text[start : start + 1000]}"
            for (server, _, _), text in zip(self._servers, told, strict=True)
        )
        assert len(set(told)) == 1, f"answers differ to {asked[:3000]}{report}"
        assert answers[0].status < 500 or answers[0].status == 501, f"a fault on {asked[:3000]}{report}"

    def close(self) -> None:
        for _, _, session in self._servers:
            session.close()


def _answer(response: requests.Response, names: Names, symbol: str) -> Answer:
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    if not is_json or "Content-Disposition" in response.headers or not response.content:
        return Answer(response.status_code, response.content)
    return Answer(response.status_code, _by_run(names.to_symbols(response.json())), symbol)


def _by_run(body: Any) -> Any:
    """Bulk histories come in the order of run ids, which no two servers share: sorted by run, each in its own order."""
    points = body.get("metrics") if isinstance(body, dict) else None
    if not points:
        return body
    return {**body, "metrics": sorted(points, key=lambda point: str(point.get("run_id")))}
