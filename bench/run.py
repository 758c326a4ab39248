"""Measures Tracklane beside mlflow and fasttrackml and writes docs/performance.md; `make bench` calls it."""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from measure import TICKS
from report import Circumstances, page
from rounds import COLD_INDEX, START, Bench, Samples
from stage import FULL, LARGE, QUICK
from systems import ROOT, SYSTEMS, version
from workloads import WORKLOADS

PAGE = ROOT / "docs/performance.md"
RAW = ROOT / ".build/bench.json"


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers stop with us
    chosen = _arguments()
    sizes = replace(chosen.sizes, rounds=chosen.rounds or chosen.sizes.rounds)
    bench = Bench(sizes, chosen.systems or _usual(chosen), chosen.only, _say)
    watch = _Watch()
    try:
        bench.run()
    finally:
        _write(RAW, json.dumps(bench.samples, default=asdict))
    text = page(bench.samples, sizes, watch.circumstances(bench))
    if chosen.output:
        _write(chosen.output, text)
    else:
        print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", dest="sizes", action="store_const", const=QUICK, default=FULL, help="small and rough")
    sizes.add_argument("--large", dest="sizes", action="store_const", const=LARGE, help="search 100,000 runs as well")
    keys = [START, *(workload.key for workload in WORKLOADS), COLD_INDEX]
    parser.add_argument("--only", metavar="WORKLOAD", nargs="+", default=[], choices=keys, help=", ".join(keys))
    parser.add_argument("--systems", metavar="SYSTEM", nargs="+", choices=SYSTEMS, help=", ".join(SYSTEMS))
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each system takes its turn")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: docs/performance.md if all is measured")
    chosen = parser.parse_args()
    whole = chosen.sizes is not QUICK and not chosen.only and not chosen.systems
    chosen.output = chosen.output or (PAGE if whole else None)
    return chosen


def _usual(chosen: argparse.Namespace) -> list[str]:
    """All systems; but mlflow as shipped takes a minute to start, too long for a quick look."""
    return [key for key in SYSTEMS if key != "mlflow-shipped" or chosen.sizes is not QUICK]


class _Watch:
    """Notes what the machine did from the beginning to the end of the bench."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy, self._load = _busy_seconds(), os.getloadavg()[0]

    def circumstances(self, bench: Bench) -> Circumstances:
        seconds = time.monotonic() - self._began
        others = _busy_seconds() - self._busy - sum(os.times()[:4])
        share = max(0.0, others / seconds / (os.cpu_count() or 1))
        return Circumstances(
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            machine=f"{os.cpu_count()} cores, {_processor()}, {os.uname().sysname} {os.uname().release}",
            load=f"Load average {self._load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end; "
            f"other work took {share:.0%} of the machine",
            duration=f"the run took {seconds / 60:.0f} minutes",
            command=" ".join(["python", *sys.argv]),
            versions=_versions(bench.samples),
        )


def _versions(samples: Samples) -> dict[str, str]:
    keys = {key for systems in samples.values() for key in systems}
    names = {"tracklane": "Tracklane", "mlflow": "mlflow", "fasttrackml": "fasttrackml"}
    return {title: version(name) for name, title in names.items() if any(key.startswith(name) for key in keys)}


def _busy_seconds() -> float:
    """Time [s] that all cores together spent on processes, since boot."""
    user, nice, system = (int(field) for field in Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / TICKS


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor unknown"
    )


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
