"""Annotated landmarks beside those that the particles tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from kpstudio.ui.action_tables.entry import Action, Situation, has_both

if TYPE_CHECKING:
    from kpstudio.ui.main_window import MainWindow


def _choose(window: MainWindow) -> None:
    path = QFileDialog.getExistingDirectory(
        window, "Folder of annotated pictures", window.files.start_folder()
    )
    if path:
        window.session.update_view(landmarks=path)


def _choose_report(window: MainWindow) -> None:
    path, _ = QFileDialog.getOpenFileName(
        window, "Report of landmarks", window.files.start_folder(), "Reports (*.json)"
    )
    if path:
        window.session.update_view(landmarks=path)


def _has_landmarks(now: Situation) -> bool:
    return bool(now.session.view.landmarks)


LANDMARKS = (
    Action("landmarks", "Annotated &landmarks…", "Fit the landmarks of a folder of annotated "
           "pictures to the particles, and draw both with their error", "Model", _choose,
           ("Ctrl+L",), "select-area", has_both, apart=True),
    Action("landmarks-report", "Landmarks of a &report…", "Draw the landmarks that 'kp eval "
           "--protocol landmarks' fitted", "Model", _choose_report, (), "chart", has_both),
    Action("landmarks-off", "&Forget the landmarks", "Draw no landmarks any more", "Model",
           lambda w: w.session.update_view(landmarks=""), (), "close", _has_landmarks),
)  # fmt: skip
