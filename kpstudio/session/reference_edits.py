"""Whose appearance pictures are decoded with: their own, or that of another picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from kpcore.errors import CapabilityError

if TYPE_CHECKING:
    from kpstudio.session.document import Document


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture that lends its appearance.

    Attributes:
        name: Shown name, e.g. of the file, or "frame 12 of clip.mp4".
        picture: As the model sees it: a PNG in base64, so that a session holds it.
    """

    name: str
    picture: str


@dataclass(frozen=True, slots=True)
class SetReference:
    """Decode the particles of every frame with the appearance of one picture (pose transfer).

    Attributes:
        name: See `Reference`; empty gives every frame its own appearance back.
        picture: See `Reference`.
    """

    kind: ClassVar[str] = "reference"
    name: str = ""
    picture: str = ""

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Appearance of {self.name}" if self.name else "Each frame's own appearance"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit.

        Raises:
            CapabilityError: The model draws from particles alone.
        """
        model = document.model
        if model is None or not model.capabilities.takes_appearance:
            raise CapabilityError(
                "this model does not draw with the appearance of another picture; open one that "
                "decodes with a reference"
            )
        reference = Reference(self.name, self.picture) if self.name else None
        return replace(document, reference=reference)
