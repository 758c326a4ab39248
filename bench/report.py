"""Writes what was measured as a Markdown page: medians, ratios, spread, and how to repeat it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from measure import Sample, Spread, spread
from rounds import Samples
from rows import CPU, FILE_ROWS, FILE_SYSTEMS, SERVER_ROWS, SERVER_SYSTEMS, WALL, Row
from stage import Sizes
from systems import SYSTEMS

NOTHING = "–"
MISSED = "**missed**"
MET = "met"


@dataclass(frozen=True)
class Circumstances:
    """When, where and how the bench ran."""

    date: str
    machine: str
    load: str
    duration: str
    command: str
    versions: dict[str, str]


def page(samples: Samples, sizes: Sizes, circumstances: Circumstances) -> str:
    """The whole page."""
    return "\n".join(_page(samples, sizes, circumstances)) + "\n"


def _page(samples: Samples, sizes: Sizes, circumstances: Circumstances) -> Iterator[str]:
    yield from _introduction(sizes, circumstances)
    for title, rows, systems in (
        ("Servers on SQLite", SERVER_ROWS, SERVER_SYSTEMS),
        ("File stores", FILE_ROWS, FILE_SYSTEMS),
    ):
        rows = [row for row in rows if any(samples[row.workload].get(system) for system in systems)]
        if rows:
            yield from ("", f"## {title}", "")
            yield from _figures(rows, systems, samples, sizes)
            yield from ("", f"### {title}: every measurement", "")
            yield from _details(rows, systems, samples, sizes)
    yield from _failures(samples)


def _introduction(sizes: Sizes, circumstances: Circumstances) -> Iterator[str]:
    yield from (
        "# Performance",
        "",
        "<!-- Written by bench/run.py. To change a figure, run it again. -->",
        "",
        "CPU time (user and system, of the server's whole process tree) per unit of work, the median of "
        f"{sizes.rounds} rounds taken in turn on each system, in one run; lower is better. `×` is how many times "
        "Tracklane's figure the peer's is. A figure means something only beside its neighbours in the row. Wall times, "
        "below, depend on what else the machine did.",
        "",
        f"- {circumstances.date}; {circumstances.duration}",
        f"- {circumstances.machine}",
        f"- {circumstances.load}",
        f"- {'; '.join(f'{name} {version}' for name, version in circumstances.versions.items())}",
        f"- Repeat: `{circumstances.command}`",
        '- "mlflow, one worker" is `mlflow server --workers 1` with `MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false`, its '
        'leanest way to run; "as shipped" is plain `mlflow server`: four workers and its job runners.',
    )


def _figures(rows: Iterable[Row], systems: Sequence[str], samples: Samples, sizes: Sizes) -> Iterator[str]:
    peers = systems[1:]
    yield from _heading(["Work", "Unit", *(SYSTEMS[key].title for key in systems), "Target", ""])
    for row in rows:
        figures = {key: _spread(row, samples[row.workload].get(key, [])) for key in systems}
        ours = figures[systems[0]]
        cells = [_title(row, sizes), row.unit, f"**{_number(ours.median)}**" if ours else NOTHING]
        cells += [_peer(figures[key], ours) for key in peers]
        yield _line([*cells, _target(row), _verdict(row, figures, ours)])


def _details(rows: Iterable[Row], systems: Sequence[str], samples: Samples, sizes: Sizes) -> Iterator[str]:
    yield from _heading(["Work", "System", "CPU median (lowest – highest)", "Wall", "Memory, MB", "Failures", "Rounds"])
    for row in rows:
        if row.quantity != CPU:
            continue
        for key in systems:
            taken = samples[row.workload].get(key, [])
            cpu = _spread(row, taken)
            if cpu:
                wall = spread([Row("", "", row.unit, quantity=WALL).figure(sample) for sample in taken])
                memory = max(sample.memory for sample in taken) / 1e6
                failures = sum(len(sample.failures) for sample in taken)
                figures = [f"{_number(cpu.median)} ({_number(cpu.low)} – {_number(cpu.high)}) {row.unit}"]
                figures += [f"{_number(wall.median)} {row.unit}", f"{memory:.0f}", str(failures), str(len(taken))]
                yield _line([_title(row, sizes), SYSTEMS[key].title, *figures])


def _failures(samples: Samples) -> Iterator[str]:
    failures = [
        f"- `{workload}` on {SYSTEMS[key].title}: {sample.failures[0]}"
        for workload, systems in samples.items()
        for key, taken in systems.items()
        for sample in taken[:1]
        if sample.failures
    ]
    if failures:
        yield from ("", "## First failure of each kind of work that had any", "", *failures)


def _spread(row: Row, taken: list[Sample]) -> Spread | None:
    figures = [row.figure(sample) for sample in taken if sample.units]
    return spread(figures) if figures else None


def _peer(theirs: Spread | None, ours: Spread | None) -> str:
    if theirs is None:
        return NOTHING
    ratio = f" ({_number(theirs.median / ours.median)} ×)" if ours and ours.median else ""
    return _number(theirs.median) + ratio


def _target(row: Row) -> str:
    if row.below:
        return f"< {SYSTEMS[row.below].title}"
    return NOTHING if row.limit is None else f"≤ {_number(row.limit)}"


def _verdict(row: Row, figures: dict[str, Spread | None], ours: Spread | None) -> str:
    limit = figures.get(row.below) if row.below else row.limit
    if ours is None or limit is None:
        return ""
    return MET if ours.median <= (limit.median if isinstance(limit, Spread) else limit) else MISSED


def _title(row: Row, sizes: Sizes) -> str:
    return row.title.format(**asdict(sizes))


def _number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _heading(cells: list[str]) -> Iterator[str]:
    yield _line(cells)
    yield _line(["---"] * len(cells))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
