"""What stands in the empty table of particles: why none can be edited, and where one can."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QToolButton, QVBoxLayout, QWidget

from kpstudio.session.scene import Scene
from kpstudio.ui.action_set import keep_text
from kpstudio.ui.theme import GRID


class WayBack(QWidget):
    """Hidden while the particles of the shown frame can be edited."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._text = QLabel(self)
        self._text.setProperty("role", "secondary")
        self._text.setWordWrap(True)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(8, GRID, 8, GRID)
        self._column.setSpacing(GRID)
        self._column.addWidget(self._text)
        self.hide()

    def offer(self, ways: Sequence[tuple[QAction, str]]) -> None:
        """Put buttons for actions under the sentence.

        Args:
            ways: Each with the text of its button.
        """
        for action, text in ways:
            button = QToolButton(self)
            button.setDefaultAction(action)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            keep_text(button, text, text)
            button.setProperty("role", "framed")
            button.setAccessibleName(text)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        self._column.addStretch(1)

    def follow(self, scene: Scene) -> None:
        """Say why nothing can be edited in a scene, or make way."""
        why = why_not_edited(scene)
        if why:
            self._text.setText(
                f"{why}. To drag particles, go to the start (Ctrl+Home) or make a what-if from "
                f"this frame (W)."
            )
        self.setVisible(bool(why))


def why_not_edited(scene: Scene) -> str:
    """Return why the particles of the shown frame cannot be edited; empty when they can."""
    branch, frame = scene.compared, scene.view.frame
    if branch is None or scene.is_edited_here:
        return ""
    if branch.frame < frame <= branch.end:
        return f"Frame {frame + 1} is predicted by '{branch.name}'"
    return f"Frame {frame + 1} is not one that '{branch.name}' starts from"
