"""Net refill of a bucket, seen through the levels an API reports. Pure."""

from __future__ import annotations

from collections import deque

_RESOLUTION = 32  # samples kept per window
_FEWEST = 3  # samples that make a slope
_LONGEST_GAP = 60.0  # seconds without a sample, after which older ones say nothing


class Trend:
    """Slope of (reported level + what we were charged) over the last `window` seconds.

    Our own spending cancels out, so the slope is the bucket's refill less what others take from it: a rival app or a
    cut quota shows although the API still advertises the full rate.
    """

    def __init__(self, window: float = 2.0) -> None:
        self.window = window
        self._spent = 0.0
        self._samples: deque[tuple[float, float]] = deque()

    def spend(self, cost: float) -> None:
        """We were charged `cost`, whether or not the reply reported a level."""
        self._spent += cost

    def observe(self, now: float, level: float) -> None:
        """The API reported `level`, after everything spent so far."""
        samples = self._samples
        if samples and now - samples[-1][0] > _LONGEST_GAP:
            samples.clear()
        if len(samples) > 1 and now - samples[-2][0] < self.window / _RESOLUTION:
            samples.pop()
        samples.append((now, level + self._spent))
        while len(samples) > _FEWEST and now - samples[0][0] > self.window:
            samples.popleft()

    def restart(self) -> None:
        """Forget: the bucket was full, so refill was lost, or its rate has changed."""
        self._samples.clear()

    def slope(self) -> tuple[float, float]:
        """(units per second, confidence in [0, 1]); confidence grows with the time covered."""
        samples = self._samples
        if len(samples) < _FEWEST:
            return 0.0, 0.0
        span = samples[-1][0] - samples[0][0]
        mean_t = sum(at for at, _ in samples) / len(samples)
        mean_v = sum(value for _, value in samples) / len(samples)
        spread = sum((at - mean_t) ** 2 for at, _ in samples)
        if spread <= 0.0:
            return 0.0, 0.0
        slope = sum((at - mean_t) * (value - mean_v) for at, value in samples) / spread
        return slope, min(1.0, span / self.window)
