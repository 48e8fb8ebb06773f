"""Export pictures and particles of what is open, with crop and resize undone."""

from __future__ import annotations

from pathlib import Path

from kpcore.errors import InputError
from kpstudio.services.engine import Engine
from kpstudio.session.session import Session
from kpstudio.session.view import Role


def export_picture(
    engine: Engine, session: Session, path: str | Path, role: Role = "edited", source: bool = True
) -> None:
    """Write the shown picture as PNG.

    Args:
        engine: Knows the framing.
        session: Holds the picture.
        path: Ends in .png.
        role: Which canvas.
        source: Lay it over the frame at its own size; otherwise at the model's size.

    Raises:
        InputError: There is no such picture, or the name does not end in .png.
        DataError: The file cannot be written.
    """
    from kpcore.data.export import save_picture

    picture = session.picture(role)
    if picture is None:
        raise InputError("there is no picture to export yet; open a checkpoint and an image")
    if source and session.document.model is not None and role != "difference":
        framing, original = engine.framing(picture.frame)
        save_picture(path, picture.pixels, framing, original)
    else:
        save_picture(path, picture.pixels)


def export_latents(engine: Engine, session: Session, path: str | Path) -> int:
    """Write the particles of every encoded frame, after edits, as .csv or .npz.

    Returns:
        Number of frames written.

    Raises:
        InputError: Nothing is encoded yet, or the ending is another.
        DataError: The file cannot be written.
    """
    from kpcore.data.export import save_latents
    from kpcore.latents import Latents

    document = session.document
    frames = sorted(document.encoded)
    if not frames:
        raise InputError("there are no particles to export yet; open a checkpoint and an image")
    every = [
        latents.select(range(document.found(latents.count)))
        for frame in frames
        if (latents := document.latents(frame)) is not None
    ]
    save_latents(path, Latents.stack(every), engine.framing(frames[0])[0], frames)
    return len(frames)
