"""What would make a verdict fall: a claim's numbers measured again on data that can't support it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fashion16_lib.evaluate.records import metric
from fashion16_lib.evaluate.statistics import Estimate
from fashion16_lib.evaluate.verdict import REPRODUCED, TREND, Claim, judge


def stands(claim: Claim, value: Estimate | float) -> bool:
    """Tell whether a claim would be upheld with this value of its metric."""
    return judge(claim, {claim.metric: metric(claim.metric, value)}).verdict in (REPRODUCED, TREND)


def share_standing(
    claim: Claim,
    measure: Callable[[np.ndarray], Estimate | float],
    sizes: np.ndarray,
    n_times: int = 200,
    seed: int = 0,
) -> float:
    """Return how often a growth claim stands when the sizes are permuted at random: about chance, if it means anything.

    measure : gives the claim's metric for sizes in a given order
    """
    rng = np.random.default_rng(seed)
    return float(np.mean([stands(claim, measure(rng.permutation(sizes))) for _ in range(n_times)]))
