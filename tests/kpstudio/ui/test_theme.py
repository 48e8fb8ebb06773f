from __future__ import annotations

from dataclasses import asdict

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon

from kpstudio.resource_files import resource_path
from kpstudio.ui import theme as themes
from kpstudio.ui.style_sheet import style_sheet
from kpstudio.ui.theme import DARK, LIGHT, READABLE, Tokens, contrast, icon

THEMES = pytest.mark.parametrize("tokens", [DARK, LIGHT], ids=["dark", "light"])


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@THEMES
@pytest.mark.parametrize("ink", ["text", "secondary"])
@pytest.mark.parametrize("behind", ["window", "panel", "raised", "canvas"])
def test_text_can_be_read_everywhere(tokens: Tokens, ink: str, behind: str):
    assert contrast(getattr(tokens, ink), getattr(tokens, behind)) >= READABLE


@THEMES
@pytest.mark.parametrize("name", ["accent", "warning", "error", "good"])
def test_coloured_text_can_be_read_too(tokens: Tokens, name):
    for behind in (tokens.window, tokens.panel, tokens.raised):
        assert contrast(tokens.ink(name), behind) >= READABLE


@THEMES
def test_text_on_the_accent_and_on_selected_rows_can_be_read(tokens: Tokens):
    assert contrast(tokens.on_accent, tokens.accent) >= READABLE
    assert contrast(tokens.text, tokens.selected) >= READABLE


@THEMES
def test_the_style_sheet_names_only_colours_of_the_theme(tokens: Tokens):
    sheet = style_sheet(tokens)
    assert "$" not in sheet
    other = DARK if tokens is LIGHT else LIGHT
    for colour in set(asdict(other).values()) - set(asdict(tokens).values()):
        if isinstance(colour, str):
            assert colour not in sheet


def test_choosing_a_theme_changes_palette_and_sheet(qapp, theme):
    seen = []
    theme.changed.connect(lambda: seen.append(theme.tokens))
    theme.choose("light")
    assert seen == [LIGHT]
    assert qapp.palette().window().color().name() == LIGHT.panel
    assert LIGHT.panel in qapp.styleSheet()
    theme.choose("dark")
    assert qapp.palette().window().color().name() == DARK.panel


def test_system_follows_the_system(theme, monkeypatch):
    theme.choose("system")

    class Hints:
        scheme = Qt.ColorScheme.Light

        def colorScheme(self):
            return self.scheme

    hints = Hints()
    monkeypatch.setattr(theme._app, "styleHints", lambda: hints, raising=False)
    theme._on_scheme()
    assert theme.tokens is LIGHT
    hints.scheme = Qt.ColorScheme.Dark
    theme._on_scheme()
    assert theme.tokens is DARK


def test_icons_are_sharp_and_tinted(qapp):
    made = icon("undo", DARK)
    for ratio in (1.0, 2.0):
        picture = made.pixmap(QSize(18, 18), ratio).toImage()
        assert picture.width() == 18 * ratio
        inks = {
            picture.pixelColor(x, y).name()
            for x in range(picture.width())
            for y in range(picture.height())
            if picture.pixelColor(x, y).alpha() > 250
        }
        assert DARK.text in inks
    off = made.pixmap(QSize(18, 18), 2.0, QIcon.Mode.Disabled).toImage()
    assert off != made.pixmap(QSize(18, 18), 2.0).toImage()


def test_an_unknown_icon_is_an_error(qapp):
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon", DARK)


def test_every_icon_of_the_set_can_be_drawn(qapp):
    for path in resource_path("icons").glob("*.svg"):
        assert not themes.drawn(path.read_text(), "#ffffff", 18, 1).toImage().isNull()
