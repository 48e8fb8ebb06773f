"""What families with a reference picture ask of their inputs."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from kpcore.api import Context
from kpcore.errors import ShapeError
from kpcore.latents import Latents


def require_pictures(size: int, image: Tensor, reference: Tensor | None) -> None:
    """Require RGB pictures of the model's size, and one reference for each.

    Raises:
        ShapeError: They have another shape.
    """
    for name, picture in (("image", image), ("reference", reference)):
        if picture is not None and (picture.ndim != 4 or picture.shape[1:] != (3, size, size)):
            raise ShapeError(
                f"the {name} has shape {tuple(picture.shape)}; this model takes (B, 3, {size}, "
                f"{size})"
            )
    if reference is not None and len(reference) != len(image):
        raise ShapeError(
            f"there are {len(reference)} references for {len(image)} images; give one for each"
        )


def require_points(
    latents: Latents, count: int, context: Context | None
) -> tuple[Float[Tensor, "B K 2"], Context]:
    """Return the positions of a batch and the context to decode them with.

    Raises:
        ShapeError: Particles are missing, or there is no context.
    """
    if latents.count != count or len(latents.batch_shape) != 1:
        raise ShapeError(
            f"positions have shape {tuple(latents.position.shape)}; this model decodes a batch of "
            f"images with all {count} particles"
        )
    if not context:
        raise ShapeError(
            "the context is empty; this model decodes over the appearance of a reference, which "
            "the encoding's context holds"
        )
    return latents.position, context
