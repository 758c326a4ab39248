"""`tracklane gc`: what it prints and what its options mean."""

import re

import click

from tracklane_server.artifacts import open_artifact_store
from tracklane_server.service.backend import Backend
from tracklane_server.service.collection import Garbage, find_garbage, remove
from tracklane_server.store import open_store

_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}
_AGE = re.compile(
    r"(?:(?P<d>\d+(?:\.\d+)?)d)?(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?"
)


def age_ms(text: str) -> int:
    """`1d2h3m4s`, each part optional, fractions allowed, in ms; empty is 0."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"'{text}' is no age; write it as in 1d2h3m4s", param_hint="--older-than")
    return int(sum(float(number) * _UNITS[unit] for unit, number in match.groupdict().items() if number))


def collect(
    backend_store_uri: str,
    artifacts_destination: str,
    older_than: str,
    run_ids: str,
    experiment_ids: str,
    dry_run: bool,
) -> None:
    """Find what was deleted, and remove it unless `dry_run`."""
    backend = Backend(open_store(backend_store_uri), open_artifact_store(artifacts_destination))
    found = list(find_garbage(backend, age_ms(older_than), _ids(run_ids), _ids(experiment_ids)))
    for garbage in found:
        if dry_run:
            click.echo(f"{garbage.kind} with ID {garbage.id} would be permanently deleted ({_weight(garbage)}).")
        else:
            remove(backend, garbage)
            click.echo(f"{garbage.kind} with ID {garbage.id} has been permanently deleted.")
    if dry_run:
        size = sum(garbage.size or 0 for garbage in found if garbage.kind == "Run")
        click.echo(f"{len(found)} in all, {size} bytes of runs' artifacts. Nothing was removed.")
    backend.store.close()


def _ids(text: str) -> list[str]:
    return [id.strip() for id in text.split(",") if id.strip()]


def _weight(garbage: Garbage) -> str:
    if garbage.files is None:
        return f"artifacts at {garbage.artifact_uri} are out of reach and would stay"
    return f"{garbage.files} files, {garbage.size} bytes"
