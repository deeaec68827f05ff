"""Durations drawn so that their 10th, 50th and 90th percentiles are exactly those of a `Spread`.

A two-piece lognormal: with z a standard normal number and c = 1.2816 its 90th percentile,

    seconds = p50 · (p90 / p50) ^ (z / c)    when z ≥ 0
              p50 · (p10 / p50) ^ (-z / c)   when z < 0

Its quantile function passes through the three points, whatever they are, and rises everywhere between them.
Lognormal, because durations of work are products of causes (volume, rate, retries), are positive, and have
the longer tail on the late side. Two pieces, because three measured points are rarely those of one lognormal.
A tail beyond p90 is thus assumed, not measured. Where a logarithm has no value (p10 = 0, or p50 = 0), that
piece is linear in z, cut at 0: it passes through the same points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from releve.domain.work import Spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Z90 = 1.2815515655446004  # 90th percentile of the standard normal law


class Law:
    """Spreads ready to be drawn from: one row a job."""

    def __init__(self, spreads: Sequence[Spread]) -> None:
        import numpy as np

        p10 = np.array([one.p10 for one in spreads], dtype=np.float32)
        p50 = np.array([one.p50 for one in spreads], dtype=np.float32)
        p90 = np.array([one.p90 for one in spreads], dtype=np.float32)
        self._p50 = p50
        self._linear = (p10 == 0) | (p50 == 0)
        one = np.float32(1)
        safe = np.where(self._linear, one, p50)
        self._up = np.log(np.where(self._linear, one, p90) / safe) / np.float32(Z90)
        self._down = np.log(safe / np.where(self._linear, one, p10)) / np.float32(Z90)
        self._p10, self._p90 = p10, p90

    def seconds(self, job: int, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """The durations of `job` for the standard normal numbers `z`, of the same shape."""
        import numpy as np

        middle = self._p50[job]
        if self._linear[job]:
            up, down = self._p90[job] - middle, middle - self._p10[job]
            drawn: NDArray[np.float32] = middle + z / np.float32(Z90) * np.where(z >= 0, up, down)
            return np.maximum(drawn, 0.0, out=drawn)
        drawn = np.maximum(z, np.float32(0)) * self._up[job]
        drawn += np.minimum(z, np.float32(0)) * self._down[job]
        np.exp(drawn, out=drawn)
        drawn *= middle
        return drawn
