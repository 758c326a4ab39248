"""Which points stand for a long metric history: the definition that every store answers by.

The step range is cut into even buckets; each bucket is stood for by its first point. The first, last, lowest and
highest point of the whole range are always among them, so that a plot keeps its ends and its extremes.
"""

from collections.abc import Sequence

from tracklane_server.contract.entities import Metric

# The points that are kept besides one for each bucket: last, lowest and highest (the first begins the first bucket).
KEPT_EXTREMES = 3


def sort_key(point: Metric) -> tuple[int, int, bool, float]:
    """(step, timestamp, value), NaN above all numbers."""
    is_nan = point.value != point.value
    return (point.step, point.timestamp, is_nan, 0.0 if is_nan else point.value)


def bucket_starts(first_step: int, last_step: int, count: int) -> list[int]:
    """The lowest step of each of `count` even buckets over [first_step, last_step], fewer if steps are fewer."""
    width = last_step - first_step + 1
    count = min(count, width)
    return [first_step + width * i // count for i in range(count)]


def sample(
    points: Sequence[Metric], max_points: int, first_step: int | None = None, last_step: int | None = None
) -> list[Metric]:
    """At most `max_points` of `points` within [first_step, last_step], ascending (step, timestamp, value).

    With room for fewer than five points only the last ones of: last, first, lowest, highest are kept, in that order of
    importance. Of equal extremes the earliest in the order counts; NaN is never an extreme.
    """
    ordered = sorted(
        (
            p
            for p in points
            if (first_step is None or p.step >= first_step) and (last_step is None or p.step <= last_step)
        ),
        key=sort_key,
    )
    if len(ordered) <= max_points:
        return ordered
    numbers = [p for p in ordered if p.value == p.value]
    musts = [ordered[-1], ordered[0]]
    if numbers:
        musts += [min(numbers, key=lambda p: p.value), max(numbers, key=lambda p: p.value)]
    musts = musts[:max_points]
    buckets = max_points - KEPT_EXTREMES
    chosen = set(musts)
    if buckets >= 1:
        starts = bucket_starts(ordered[0].step, ordered[-1].step, buckets)
        position = 0
        for start, end in zip(starts, [*starts[1:], ordered[-1].step + 1], strict=True):
            while ordered[position].step < start:
                position += 1
            if ordered[position].step < end:
                chosen.add(ordered[position])
    return sorted(chosen, key=sort_key)
