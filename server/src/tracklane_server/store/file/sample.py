"""What `store.sampling.sample` would choose of a history, found without looking at each point in Python."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import islice
from operator import attrgetter, le

from tracklane_server.contract.entities import Metric
from tracklane_server.store.sampling import KEPT_EXTREMES, bucket_starts, sort_key

_STEP = attrgetter("step")
_VALUE = attrgetter("value")


def sample_history(
    history: list[Metric], max_points: int, first_step: int | None, last_step: int | None
) -> list[Metric]:
    """`history` ascends (timestamp, step, value); the answer ascends (step, timestamp, value)."""
    steps = list(map(_STEP, history))
    if not all(map(le, steps, islice(steps, 1, None))):
        history = sorted(history, key=sort_key)
        steps = list(map(_STEP, history))
    start = 0 if first_step is None else bisect_left(steps, first_step)
    end = len(steps) if last_step is None else bisect_right(steps, last_step)
    if end - start <= max_points:
        return history[start:end]
    points, steps = history[start:end], steps[start:end]
    kept = [len(points) - 1, 0, *_extremes(points)][:max_points]
    chosen = {*kept, *_of_buckets(steps, max_points - KEPT_EXTREMES)}
    return [points[index] for index in sorted(chosen)]


def _extremes(points: Sequence[Metric]) -> list[int]:
    """Where the lowest and the highest number are first; nowhere if there is only NaN."""
    values = list(map(_VALUE, points))
    numbers = [value for value in values if value == value]
    return [values.index(min(numbers)), values.index(max(numbers))] if numbers else []


def _of_buckets(steps: list[int], count: int) -> set[int]:
    if count < 1:
        return set()
    starts = bucket_starts(steps[0], steps[-1], count)
    first = [bisect_left(steps, start) for start in starts]
    ends = [*starts[1:], steps[-1] + 1]
    return {index for index, end in zip(first, ends, strict=True) if steps[index] < end}
