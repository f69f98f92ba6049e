"""Charts: means and intervals lie where their numbers say."""

import pytest

from metamapping.html.charts import Mark, draw_bars, draw_curve

NAN = float("nan")


def test_higher_means_lie_higher_and_intervals_around_them():
    curve = draw_curve([Mark("0", 0.5, 0.45, 0.55), Mark("1", 0.6, 0.58, 0.62)])
    first, second = curve.points
    assert first.x < second.x
    assert second.y < first.y
    assert first.y_low > first.y > first.y_high
    assert curve.path == f"{first.x},{first.y} {second.x},{second.y}"


def test_the_grid_is_linear_and_contains_all_ends():
    curve = draw_curve([Mark("0", 0.31, 0.27, 0.36), Mark("1", 0.52, 0.41, 0.63)])
    lowest, *_, highest = curve.ticks
    assert (lowest.text, highest.text) == ("0.20", "0.70")
    per_unit = (lowest.y - highest.y) / 0.5
    assert curve.points[0].y == pytest.approx(lowest.y - per_unit * 0.11, abs=0.1)
    assert all(0 < y < curve.height for point in curve.points for y in (point.y, point.y_low, point.y_high))


@pytest.mark.parametrize("marks", [[], [Mark("0", NAN, NAN, NAN)], [Mark("0", 0.5, 0.5, 0.5)]])
def test_little_or_nothing_finite_is_drawn_too(marks):
    curve = draw_curve(marks)
    assert len(curve.points) == sum(mark.mean == mark.mean for mark in marks)
    assert len(curve.ticks) >= 2


def test_a_mean_without_an_interval_has_no_arms():
    (point,) = draw_curve([Mark("0", 0.5, NAN, NAN)]).points
    assert point.y == point.y_low == point.y_high


def test_gains_lie_right_of_zero_and_losses_left_on_one_axis():
    gain, loss, nothing = draw_bars(
        [Mark("", 0.1, 0.05, 0.15), Mark("", -0.1, -0.2, 0.02), Mark("", NAN, NAN, NAN)]
    )
    assert nothing is None
    assert gain.zero == loss.zero
    assert gain.zero < gain.x_low < gain.x < gain.x_high
    assert loss.x_low < loss.x < loss.zero < loss.x_high
    assert gain.x - gain.zero == pytest.approx(loss.zero - loss.x, abs=0.2)
