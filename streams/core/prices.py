"""What a request will be charged, learnt from what requests of its kind were charged before. Pure."""

from __future__ import annotations

_NEWEST = 0.2  # weight of the newest charge in the estimate


class Prices:
    """Ratio of charged to stated cost, by operation: a connector states what it can know, the API has the last word.

    A ratio and not a cost, because what a connector states varies with the size of a page while its error does not.
    """

    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}

    def expected(self, operation: str, stated: float) -> float:
        """Units a request will probably be charged; as stated until something is known."""
        return stated * self._ratios.get(operation, 1.0)

    def learn(self, operation: str, stated: float, charged: float) -> None:
        """A request was carried out and charged; both in the bucket's units. What was free or says nothing is
        ignored."""
        if stated > 0.0 and charged > 0.0:
            ratio = charged / stated
            self._ratios[operation] = (1 - _NEWEST) * self._ratios.get(operation, ratio) + _NEWEST * ratio
