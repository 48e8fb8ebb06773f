"""Light and dark from the same tokens: palette, one style sheet, icons and fonts.

Tokens are the only place where a colour of the window is written down.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from kpstudio.resource_files import resource_path
from kpstudio.ui.canvas.palette import CanvasColours
from kpstudio.ui.style_sheet import style_sheet

Choice = Literal["system", "light", "dark"]

GRID = 8
"""Distances are multiples of this, or half of it."""

ICON_PX = 18
READABLE = 4.5
"""Least contrast of text to what is behind it."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Colours of one theme, each #RRGGBB.

    Attributes:
        dark: Whether text is lighter than the window.
        window: Behind everything.
        panel: Docks, menus, tool bar.
        raised: Buttons, fields, cards.
        line: One-pixel lines.
        text: What is read.
        secondary: Labels and heads.
        faint: What is disabled; never something that must be read.
        accent: The chosen one.
        on_accent: Text on the accent.
        selected: Behind selected rows.
        warning: Something to look at.
        error: Something went wrong.
        good: Something is as it should be.
        canvas: Around a picture.
    """

    dark: bool
    window: str
    panel: str
    raised: str
    line: str
    text: str
    secondary: str
    faint: str
    accent: str
    on_accent: str
    selected: str
    warning: str
    error: str
    good: str
    canvas: str

    def ink(self, name: Literal["accent", "warning", "error", "good"]) -> str:
        """Return a colour that may be read as text on every background of the theme."""
        return _readable(getattr(self, name), self.text, (self.window, self.panel, self.raised))

    @property
    def on_error(self) -> str:
        """Text on the error colour."""
        return "#1a0b0a" if self.dark else "#ffffff"

    @property
    def canvas_colours(self) -> CanvasColours:
        """What the canvases paint with."""
        return CanvasColours(self.window, self.canvas, self.line, self.accent, self.secondary)


DARK = Tokens(
    dark=True,
    window="#14161a",
    panel="#1b1e24",
    raised="#232730",
    line="#2c313b",
    text="#e4e7ec",
    secondary="#98a1b0",
    faint="#697281",
    accent="#5aa2ff",
    on_accent="#0b1420",
    selected="#263a57",
    warning="#e8b04a",
    error="#ef6f6c",
    good="#5cc48d",
    canvas="#0e1013",
)
LIGHT = Tokens(
    dark=False,
    window="#eceef1",
    panel="#f8f9fa",
    raised="#ffffff",
    line="#d5d9e0",
    text="#1d2229",
    secondary="#5b6472",
    faint="#8a93a1",
    accent="#1f6fe0",
    on_accent="#ffffff",
    selected="#cfe0f8",
    warning="#a86a00",
    error="#c63d3a",
    good="#1f8a55",
    canvas="#dfe2e7",
)


def luminance(colour: str) -> float:
    """Return the relative luminance of #RRGGBB, 0..1 (WCAG 2)."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, 1..21 (WCAG 2)."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mixed(first: str, second: str, share: float) -> str:
    """Return `first` with a share of `second` in it."""
    parts = (
        round((1 - share) * int(first[i : i + 2], 16) + share * int(second[i : i + 2], 16))
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02x}" for part in parts)


@lru_cache(maxsize=64)
def _readable(colour: str, text: str, backgrounds: tuple[str, ...]) -> str:
    """Return `colour` brought towards `text` as far as its contrast asks."""
    for step in range(21):
        ink = mixed(colour, text, step / 20)
        if min(contrast(ink, background) for background in backgrounds) >= READABLE:
            return ink
    return text


def palette_of(tokens: Tokens) -> QPalette:
    """Return the Qt palette of a theme."""
    palette = QPalette()
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    for name, colour in (
        (role.Window, tokens.panel),
        (role.WindowText, tokens.text),
        (role.Base, tokens.raised),
        (role.AlternateBase, tokens.panel),
        (role.Text, tokens.text),
        (role.Button, tokens.raised),
        (role.ButtonText, tokens.text),
        (role.BrightText, tokens.on_accent),
        (role.ToolTipBase, tokens.raised),
        (role.ToolTipText, tokens.text),
        (role.PlaceholderText, tokens.secondary),
        (role.Highlight, tokens.selected),
        (role.HighlightedText, tokens.text),
        (role.Accent, tokens.accent),
        (role.Link, tokens.ink("accent")),
        (role.LinkVisited, tokens.ink("accent")),
        (role.Light, mixed(tokens.raised, "#ffffff", 0.1)),
        (role.Midlight, tokens.raised),
        (role.Mid, tokens.line),
        (role.Dark, tokens.line),
        (role.Shadow, "#000000"),
    ):
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(group.Disabled, name, QColor(tokens.faint))
    return palette


def tabular(font: QFont) -> QFont:
    """Return the font with figures of one width, for tables and read-outs."""
    figures = QFont(font)
    figures.setFeature(QFont.Tag("tnum"), 1)
    return figures


def scaled(font: QFont, factor: float) -> QFont:
    """Return the font at another size, never below what can be read."""
    other = QFont(font)
    if font.pointSizeF() > 0:
        other.setPointSizeF(max(7.0, font.pointSizeF() * factor))
    else:
        other.setPixelSize(max(9, round(font.pixelSize() * factor)))
    return other


@lru_cache(maxsize=512)
def icon(name: str, tokens: Tokens, colour: str = "", checked: str = "") -> QIcon:
    """Return an icon of the set in the colours of a theme, sharp at every screen density.

    Args:
        name: File of resources/icons, without ending.
        tokens: The theme.
        colour: #RRGGBB in place of the text's.
        checked: #RRGGBB while it is on; empty for no difference.

    Raises:
        FileNotFoundError: There is no such icon.
    """
    source = resource_path(f"icons/{name}.svg").read_text(encoding="utf-8")
    result = QIcon()
    inks = [
        (QIcon.Mode.Normal, QIcon.State.Off, colour or tokens.text),
        (QIcon.Mode.Disabled, QIcon.State.Off, tokens.faint),
    ]
    if checked:
        inks.append((QIcon.Mode.Normal, QIcon.State.On, checked))
    for mode, state, ink in inks:
        for ratio in (1, 2):
            result.addPixmap(drawn(source, ink, ICON_PX, ratio), mode, state)
    return result


def drawn(source: str, colour: str, side: int, ratio: float) -> QPixmap:
    """Return an SVG of one colour as a pixmap of `side` points at a pixel ratio."""
    renderer = QSvgRenderer(QByteArray(source.replace("currentColor", colour).encode()))
    pixmap = QPixmap(QSize(round(side * ratio), round(side * ratio)))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, pixmap.width(), pixmap.height()))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def app_icon() -> QIcon:
    """Return the icon of the program."""
    source = resource_path("icons/app.svg").read_text(encoding="utf-8")
    result = QIcon()
    for side in (16, 32, 64, 256):
        result.addPixmap(drawn(source, "#ffffff", side, 1))
    return result


class Theme(QObject):
    """The theme in force; follows the system where it is asked to."""

    changed = Signal()
    """`tokens` are others now."""

    def __init__(self, app: QApplication, choice: Choice = "system") -> None:
        """Give the whole application a theme.

        Args:
            app: The application.
            choice: Of the user.
        """
        super().__init__(app)
        self._app = app
        self._choice: Choice = choice
        app.setStyle("Fusion")
        self._system_is_dark = _is_dark(app.palette())
        self.tokens = self._find()
        self._hints = app.styleHints()
        self._hints.colorSchemeChanged.connect(self._on_scheme)
        self.choose(choice)

    @property
    def choice(self) -> Choice:
        """What the user chose."""
        return self._choice

    def choose(self, choice: Choice) -> None:
        """Use another theme."""
        self._choice = choice
        scheme = {
            "system": Qt.ColorScheme.Unknown,
            "light": Qt.ColorScheme.Light,
            "dark": Qt.ColorScheme.Dark,
        }[choice]
        self._hints.setColorScheme(scheme)
        self._apply(self._find())

    def _find(self) -> Tokens:
        if self._choice == "system":
            scheme = self._app.styleHints().colorScheme()
            known = scheme != Qt.ColorScheme.Unknown
            dark = scheme == Qt.ColorScheme.Dark if known else self._system_is_dark
        else:
            dark = self._choice == "dark"
        return DARK if dark else LIGHT

    def _on_scheme(self) -> None:
        if self._choice == "system" and self._find() is not self.tokens:
            self._apply(self._find())

    def _apply(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._app.setPalette(palette_of(tokens))
        self._app.setStyleSheet(style_sheet(tokens))
        colour_pyqtgraph(tokens)
        self.changed.emit()


def colour_pyqtgraph(tokens: Tokens) -> None:
    """Give plots made from now on the theme's colours; nothing while pyqtgraph is not loaded."""
    pyqtgraph = sys.modules.get("pyqtgraph")
    if pyqtgraph is not None:
        pyqtgraph.setConfigOption("background", tokens.raised)
        pyqtgraph.setConfigOption("foreground", tokens.secondary)


def _is_dark(palette: QPalette) -> bool:
    role = QPalette.ColorRole
    return palette.color(role.Window).lightness() < palette.color(role.WindowText).lightness()
