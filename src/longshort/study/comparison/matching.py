"""As many units as give a network a certain number of weights."""

from __future__ import annotations

from collections.abc import Callable


def matching(count: Callable[[int], int], wanted: int, begin: int) -> tuple[int, int]:
    """The number of units whose network comes closest to a number of weights.

    Args:
        count: units -> weights, the more units the more weights.
        wanted: weights.
        begin: units to begin the search with.

    Returns:
        Units and weights.
    """
    known: dict[int, int] = {}

    def weights(units: int) -> int:
        if units not in known:
            known[units] = count(units)
        return known[units]

    low, high = begin, begin
    while weights(low) > wanted and low > 1:
        low, high = max(1, low // 2), low
    while weights(high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        # As on a line between the two ends: weights grow a little faster than that.
        share = (wanted - weights(low)) / (weights(high) - weights(low))
        middle = min(max(low + round(share * (high - low)), low + 1), high - 1)
        low, high = (middle, high) if weights(middle) <= wanted else (low, middle)
    best = min((low, high), key=lambda units: abs(weights(units) - wanted))
    return best, weights(best)
