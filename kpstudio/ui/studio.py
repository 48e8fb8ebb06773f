"""What the window stands on: the session and the services, made by the application."""

from __future__ import annotations

from dataclasses import dataclass, field

from kpstudio.services.engine import Engine, Post
from kpstudio.services.playback import Playback
from kpstudio.services.settings import SettingsStore
from kpstudio.services.thumbnails import Thumbnails
from kpstudio.session.session import Session


@dataclass(frozen=True, slots=True)
class Studio:
    """The session and everything that works for it.

    Attributes:
        session: What is open, edited and looked at.
        engine: Answers with particles and pictures.
        settings: What the user prefers.
        thumbnails: Small pictures of media.
        post: Runs a function on the UI thread.
        playback: The clock of the timeline.
    """

    session: Session
    engine: Engine
    settings: SettingsStore
    thumbnails: Thumbnails
    post: Post
    playback: Playback = field(default_factory=Playback)

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop every thread."""
        self.thumbnails.close(timeout_s / 2)
        self.engine.close(timeout_s)
