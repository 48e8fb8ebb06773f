"""Opening, saving and exporting: what lies between a path and the services."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QStandardPaths
from PySide6.QtWidgets import QFileDialog

from kpcore.errors import KpError
from kpstudio.services import library
from kpstudio.ui.action_tables.entry import Choice

if TYPE_CHECKING:
    from kpstudio.ui.main_window import MainWindow

Answer = Literal["save", "discard", "cancel"]

CHECKPOINTS = "Checkpoints (*.safetensors *.pth *.pt *.ckpt)"
MEDIA = (
    "Pictures and videos (*.png *.jpg *.jpeg *.bmp *.webp *.tif *.tiff *.gif *.mp4 *.mov *.avi "
    "*.mkv *.webm *.m4v)"
)
SESSIONS = "Sessions (*.kps)"
EVERYTHING = "All files (*)"


class Files:
    """Asks where a choice is needed; every failure becomes one sentence, and nothing is lost.

    Attributes:
        path: Of the saved session that is open, or None.
        device: Where models are opened in place of the preferences' device; empty for that.
        ask_unsaved: Asks what to do with unsaved edits.
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.path: Path | None = None
        self.device = ""
        self.ask_unsaved: Callable[[], Answer] = window.windows.ask_unsaved

    # -- opening ---------------------------------------------------------------------------------
    def choose_file(self) -> None:
        """Ask for any file."""
        known = (
            "Everything that opens (*.safetensors *.pth *.pt *.ckpt *.kps " + MEDIA.split("(")[1]
        )
        self._choose("Open", ";;".join((known, CHECKPOINTS, MEDIA, SESSIONS, EVERYTHING)))

    def choose_checkpoint(self) -> None:
        """Ask for a checkpoint."""
        self._choose("Open checkpoint", ";;".join((CHECKPOINTS, EVERYTHING)))

    def choose_media(self) -> None:
        """Ask for a picture or video."""
        self._choose("Open picture or video", ";;".join((MEDIA, EVERYTHING)))

    def ask_media(self, title: str) -> str:
        """Ask for one picture or video; return its path, or "" when none was chosen."""
        filters = ";;".join((MEDIA, EVERYTHING))
        return QFileDialog.getOpenFileName(self._window, title, self.start_folder(), filters)[0]

    def choose_folder(self) -> None:
        """Ask for a folder of pictures or a run."""
        path = QFileDialog.getExistingDirectory(
            self._window, "Open folder or run", self.start_folder()
        )
        if path:
            self.open_any([path])

    def choose_run(self) -> None:
        """Ask for the folder of a run."""
        path = QFileDialog.getExistingDirectory(self._window, "Open run", self.start_folder())
        if path and library.kind_of(path) == "run":
            self.open_any([path])
        elif path:
            self._tell(
                f"'{Path(path).name}' is not a run: it has no config.json; choose the folder that "
                f"'kp train' made"
            )

    def _choose(self, title: str, filters: str) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self._window, title, self.start_folder(), filters)
        if paths:
            self.open_any(paths)

    def start_folder(self) -> str:
        """Return where a file dialog begins."""
        recent = self._window.settings.settings.recent
        if recent and Path(recent[0]).parent.is_dir():
            return str(Path(recent[0]).parent)
        return str(Path.home())

    def open_any(self, paths: Sequence[str | Path]) -> None:
        """Open whatever the paths are: one of each kind, a checkpoint with media as a pair."""
        found: dict[str, Path] = {}
        for path in map(Path, paths):
            if not path.exists():
                self._window.settings.forget_recent(path)
                self._tell(f"There is nothing at '{path}'; check the path")
                return
            found.setdefault(library.kind_of(path), path)
        if len(paths) > len(found):
            names = ", ".join(f"'{path.name}'" for path in found.values())
            self._window.session.notify(
                f"One file of each kind is opened at a time, so only {names} was taken; put "
                f"pictures into a folder to open them together"
            )
        if not (set(found) <= {"run"} or self.may_replace()):
            return
        if "session" in found:
            self.open_session(found["session"])
        elif "run" in found:
            self._window.settings.add_recent(found["run"])
            self._window.open_run(found["run"])
        else:
            self._open(found.get("checkpoint"), found.get("media"))

    def _open(self, checkpoint: Path | None, media: Path | None) -> None:
        engine = self._window.engine
        device = self.device or self._window.settings.settings.device
        self._window.leave_monitor()
        if checkpoint is not None:
            self.path = None
        if checkpoint is not None and media is not None:
            engine.open_pair(str(checkpoint), str(media), device)
        elif checkpoint is not None:
            engine.open_model(str(checkpoint), device)
        elif media is not None:
            engine.open_media(str(media))

    def open_session(self, path: Path) -> None:
        """Open a saved session."""
        from kpstudio.services import reopen

        def done(saved: object) -> None:
            self.path = path
            self._window.settings.add_recent(path)
            layout = getattr(saved, "layout", "")
            if layout:
                self._window.restore_layout(layout)
            self._window.update_title()

        self._window.leave_monitor()
        self._guard(
            partial(reopen.open_session, self._window.engine, self._window.session, path, done=done)
        )

    def open_demo(self, name: str = "") -> None:
        """Open a shipped model on a shipped sample, and begin what the demo shows.

        Args:
            name: Of the table of demos; empty for the first one.
        """
        if not self.may_replace():
            return
        try:
            shipped = library.demo(name)
        except KpError as error:
            self._tell(str(error))
            return
        self._window.leave_monitor()
        self.path = None
        self._window.engine.open_pair(
            str(shipped.checkpoint),
            str(shipped.sample),
            self.device or self._window.settings.settings.device,
            then=partial(self._begin, shipped),
        )

    def _begin(self, shipped: library.Demo) -> None:
        """Go to a demo's first frame; let it predict where that is what it shows."""
        if shipped.frame:
            self._window.session.update_view(frame=shipped.frame)
        if shipped.begin == "predict":
            self._window.predicting.begin()

    def demo_choices(self) -> list[Choice]:
        """Return the demos of this installation."""
        try:
            return [
                Choice(shipped.title, partial(self.open_demo, shipped.name), tip=shipped.text)
                for shipped in library.demos()
            ]
        except KpError as error:
            self._tell(str(error))
            return []

    def open_sample(self, path: Path) -> None:
        """Open a shipped picture; with the shipped model when none is open."""
        if not self.may_replace():
            return
        shipped = library.checkpoints()
        if self._window.session.document.model is None and shipped:
            self._open(shipped[0], path)
        else:
            self._open(None, path)

    def close(self) -> None:
        """Close model and media."""
        if self.may_replace():
            self.path = None
            self._window.session.open_model(None)
            self._window.session.open_media(None)
            self._window.show_welcome()

    # -- what is offered -------------------------------------------------------------------------
    def recent_choices(self) -> list[Choice]:
        """Return what was open lately, and how to forget it."""
        settings = self._window.settings
        choices = [
            Choice(Path(path).name, partial(self.open_any, [path]), tip=path)
            for path in settings.settings.recent
        ]
        if choices:
            choices.append(Choice("Forget all", settings.forget_recent))
        return choices

    def sample_choices(self) -> list[Choice]:
        """Return the shipped pictures."""
        return [
            Choice(path.stem.replace("-", " ").capitalize(), partial(self.open_sample, path))
            for path in library.samples()
        ]

    # -- saving ----------------------------------------------------------------------------------
    def may_replace(self) -> bool:
        """Ask what to do with unsaved edits; return whether they may go."""
        if self._window.session.is_saved or self._window.session.document.model is None:
            return True
        answer = self.ask_unsaved()
        if answer == "save":
            return self.save()
        return answer == "discard"

    def save(self) -> bool:
        """Save where it was saved before, or ask."""
        return self.save_as() if self.path is None else self.save_to(self.path)

    def save_as(self) -> bool:
        """Ask for a name and save."""
        media = self._window.session.document.media
        name = Path(media.name).stem if media else "session"
        path = self._ask_name("Save session", f"{name}.kps", SESSIONS)
        return bool(path) and self.save_to(Path(path))

    def save_to(self, path: Path) -> bool:
        """Save; return whether it worked."""
        from kpstudio.services import reopen

        window = self._window
        saved = self._guard(
            partial(
                reopen.save_session, window.engine, window.session, path, window.packed_layout()
            )
        )
        if saved:
            self.path = path
            window.settings.add_recent(path)
            window.update_title()
            window.session.notify(f"Saved as '{path.name}' in '{path.parent}'")
        return saved

    def export_picture(self, *, source: bool) -> None:
        """Ask for a name and write the edited picture."""
        from kpstudio.services import exporting

        window = self._window
        name = self._export_name("source" if source else "picture", "png")
        path = self._ask_name("Export picture", name, "PNG (*.png)")
        if path and self._guard(
            partial(
                exporting.export_picture,
                window.engine, window.session, Path(path), "edited", source,
            )
        ):  # fmt: skip
            window.session.notify(f"Written: '{path}'")

    def export_particles(self, kind: Literal["csv", "npz"]) -> None:
        """Ask for a name and write the particles."""
        from kpstudio.services import exporting

        window = self._window
        path = self._ask_name(
            "Export particles", self._export_name("particles", kind), f"{kind.upper()} (*.{kind})"
        )
        if path and self._guard(
            partial(exporting.export_latents, window.engine, window.session, Path(path))
        ):
            window.session.notify(f"Written: '{path}'")

    def save_screenshot(self) -> None:
        """Ask for a name and write a picture of the window."""
        image = self._window.screenshot()
        name = f"keypoint-studio-{time.strftime('%Y%m%d-%H%M%S')}.png"
        path = self._ask_name("Save screenshot", name, "PNG (*.png)")
        if not path:
            return
        if image.save(path, "PNG"):
            self._window.session.notify(f"Written: '{path}'")
        else:
            self._tell(f"'{path}' cannot be written; choose a folder that can be written")

    def _export_name(self, what: str, ending: str) -> str:
        document = self._window.session.document
        name = Path(document.media.name).stem if document.media else "keypoint-studio"
        frame = self._window.session.view.frame + 1
        several = document.media is not None and document.media.count > 1 and what != "particles"
        return f"{name}-{what}{f'-{frame}' if several else ''}.{ending}"

    def _ask_name(self, title: str, name: str, filters: str) -> str:
        where = QStandardPaths.StandardLocation.PicturesLocation
        folder = QStandardPaths.writableLocation(where) or str(Path.home())
        start = self.path.parent if self.path is not None else Path(folder)
        path, _ = QFileDialog.getSaveFileName(self._window, title, str(start / name), filters)
        suffix = Path(name).suffix
        if path and Path(path).suffix.lower() != suffix:
            path += suffix
        return path

    # -- failing ---------------------------------------------------------------------------------
    def _guard(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except KpError as error:
            self._tell(str(error))
            return False
        return True

    def _tell(self, sentence: str) -> None:
        self._window.session.notify(sentence[:1].upper() + sentence[1:], "error")
