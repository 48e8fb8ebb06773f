from __future__ import annotations

import pytest
from PySide6.QtCore import QRect

from kpcore.geometry.units import pixel_to_unit
from kpstudio.session.view import ROLES
from kpstudio.ui.canvas.linked import LinkedViews
from kpstudio.ui.canvas.mapping import CLOSEST, Framing, Viewport, zoomed
from kpstudio.ui.compare import arrange


def test_the_whole_picture_fits_and_is_centred() -> None:
    viewport = Viewport.of(Framing(), (64, 32), (200.0, 200.0))
    assert (viewport.left, viewport.top) == (0.0, 50.0)
    assert (viewport.width, viewport.height) == (200.0, 100.0)
    assert viewport.scale == 3.125


def test_unit_coordinates_meet_the_pixels_they_name() -> None:
    viewport = Viewport.of(Framing(), (32, 32), (320.0, 320.0))
    # the centre of pixel (3, 7) at ten points a pixel
    at = (pixel_to_unit(3, 32), pixel_to_unit(7, 32))
    assert viewport.to_view(at) == pytest.approx((35.0, 75.0))
    assert viewport.to_unit((35.0, 75.0)) == pytest.approx(at)
    assert viewport.lengths(viewport.pixel_step(2)) == pytest.approx((20.0, 20.0))
    assert viewport.unit_lengths((20.0, 20.0)) == pytest.approx(viewport.pixel_step(2))


@pytest.mark.parametrize("factor", [0.5, 1.2, 3.0])
def test_zooming_holds_the_place_under_the_cursor(factor: float) -> None:
    framing = Framing((0.1, -0.2), 2.0)
    before = Viewport.of(framing, (64, 64), (300.0, 200.0))
    after_framing = zoomed(before, framing, (40.0, 150.0), factor)
    after = Viewport.of(after_framing, (64, 64), (300.0, 200.0))
    assert after.to_unit((40.0, 150.0)) == pytest.approx(before.to_unit((40.0, 150.0)))


def test_the_picture_can_never_be_lost() -> None:
    assert Framing((9.0, -7.0), 1e9).held() == Framing((1.0, -1.0), CLOSEST)


def test_views_of_different_sizes_show_the_same_part() -> None:
    framing = Framing((0.25, 0.5), 3.0)
    large = Viewport.of(framing, (64, 64), (600.0, 600.0))
    small = Viewport.of(framing, (64, 64), (60.0, 60.0))
    assert large.to_unit((600.0, 0.0)) == pytest.approx(small.to_unit((60.0, 0.0)))


def test_framing_points_shows_them_all(qapp) -> None:
    links = LinkedViews()
    links.frame([(-0.5, 0.0), (0.5, 0.2)], (0.1, 0.1))
    viewport = Viewport.of(links.framing, (64, 64), (120.0, 120.0))
    assert viewport.to_view((-0.6, 0.1)) == pytest.approx((0.0, 60.0))
    assert viewport.to_view((0.6, 0.1)) == pytest.approx((120.0, 60.0))
    links.frame([], (0.1, 0.1))
    assert links.framing == Framing()


@pytest.mark.parametrize("main", ROLES)
@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("size", [(848, 616), (700, 752), (500, 900), (1600, 500)])
@pytest.mark.parametrize("aspect", [1.0, 16 / 9, 0.75])
def test_canvases_never_overlap_and_stay_inside(main, grid: bool, size, aspect: float) -> None:
    places = arrange(size, aspect, main, grid=grid)
    whole = QRect(0, 0, *size)
    rects = [places[role] for role in ROLES]
    assert all(whole.contains(rect) for rect in rects)
    assert not any(a.intersects(b) for a in rects for b in rects if a is not b)
    areas = {role: places[role].width() * places[role].height() for role in ROLES}
    if grid:
        assert max(areas.values()) - min(areas.values()) < 2 * sum(size)
    else:
        assert all(areas[main] > 4 * areas[role] for role in ROLES if role != main)


def test_small_canvases_stand_where_they_cost_the_large_picture_least() -> None:
    wide = arrange((848, 616), 1.0, "edited")
    assert wide["edited"] == QRect(0, 0, 640, 616)
    assert wide["input"].left() > wide["edited"].right()
    tall = arrange((616, 900), 1.0, "edited")
    assert tall["input"].top() > tall["edited"].bottom()
    squarish = arrange((795, 752), 1.0, "edited")
    assert squarish["edited"].width() == 628
