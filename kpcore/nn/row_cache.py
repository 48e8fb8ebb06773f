"""Keep what single rows of numbers were decoded to."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.drafting import is_drafting

_KEPT = 256


class RowCache:
    """Decodes each row by itself and keeps the result, so that only new rows cost anything.

    A row's result never depends on the rows beside it or before it: networks round differently for
    batches of different sizes, and a picture would then remember the edits that led to it.
    """

    def __init__(self, decode: Callable[[Tensor], Tensor]) -> None:
        """Keep results of `decode`, which takes (1, K, D) and gives (1, K, ...)."""
        self._decode = decode
        self._known: dict[tuple[bytes, bool], Tensor] = {}

    def __call__(self, rows: Float[Tensor, "B K D"]) -> Float[Tensor, "B K *n"]:
        """Return the decoded rows; those of several images are decoded together and not kept."""
        if len(rows) != 1 or rows.shape[1] == 0:
            return self._decode(rows)
        keys = [row.tobytes() for row in rows[0].detach().cpu().numpy()]
        found = [self._found(key, rows[:, index : index + 1]) for index, key in enumerate(keys)]
        while len(self._known) > max(_KEPT, len(keys)):
            del self._known[next(iter(self._known))]
        return torch.cat(found, dim=1)

    def _found(self, key: bytes, row: Tensor) -> Tensor:
        """Return what a row is decoded to; a draft of it serves other drafts only."""
        kept = (key, False)
        if is_drafting() and kept not in self._known:
            kept = (key, True)
        if kept not in self._known:
            self._known[kept] = self._decode(row)
        return self._known[kept]
