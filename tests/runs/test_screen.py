"""The screen of a run, in a terminal and in a log."""

import io
import re
import time

from rich.console import Console

from metamapping.runs.screen import Screen, Work, current_screen, duration


def log_of(work, **options):
    """What a screen writes into a file while a function works with it."""
    file = io.StringIO()
    with Screen(Console(file=file), **options) as screen:
        work(screen)
    return file.getvalue()


def test_a_log_has_plain_lines_with_the_time_of_day():
    log = log_of(lambda screen: screen.say("round 1: [bold] is not markup"))
    assert re.fullmatch(r"\d\d:\d\d:\d\d round 1: \[bold\] is not markup\n", log)


def test_a_long_line_of_a_log_is_not_broken():
    assert log_of(lambda screen: screen.say("word " * 100)).count("\n") == 1


def test_a_log_is_not_silent_while_something_takes_long():
    def work(screen):
        with screen.work("loading TensorFlow"):
            time.sleep(0.3)

    log = log_of(work, log_every_seconds=0.05)
    assert "… loading TensorFlow, for 0 s so far\n" in log


def test_a_log_is_not_silent_between_two_works():
    assert "… working, for 0 s so far\n" in log_of(lambda _: time.sleep(0.3), log_every_seconds=0.05)


def test_work_that_is_over_quickly_leaves_no_line():
    def work(screen):
        with screen.work("round 1: meta-steps", 2) as steps:
            steps.advance(1)

    assert log_of(work) == ""


def test_in_a_terminal_only_the_lines_stay():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80)
    with Screen(console) as screen, screen.work("meta-steps", 10) as work:
        work.advance(5, "loss 0.5")
        screen.say("a line")
    assert "a line\n" in file.getvalue()
    assert "\x1b[?25h" in file.getvalue()[-20:]  # the bar is erased, the cursor visible again


def test_without_an_open_screen_nothing_is_shown(capfd):
    with current_screen().work("something", 3) as work:
        work.advance(1)
        current_screen().say("a line")
    assert not current_screen().is_shown
    assert capfd.readouterr() == ("", "")


def test_stages_find_the_screen_that_is_open():
    with Screen(Console(file=io.StringIO())) as screen:
        assert current_screen() is screen
    assert current_screen() is not screen


def test_the_time_left_does_not_count_steps_that_were_compiled(monkeypatch):
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    work = Work("meta-steps", 20)
    for step in range(1, 11):
        now += 30.0 if step in (1, 4, 7) else 1.0
        work.advance(step)
    assert work.seconds_left == 10.0


def test_the_time_left_does_not_count_what_came_before_the_first_step(monkeypatch):
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    work = Work("meta-steps", 11)
    now = 60.0  # compiling the first step
    work.advance(1)
    assert work.seconds_left is None
    now = 64.0
    work.advance(3, "loss 0.812")
    assert work.seconds_left == 16.0
    assert str(work) == "meta-steps: 3 of 11, about 16 s left, loss 0.812"


def test_the_time_that_rounds_can_still_take_is_that_of_the_longest(monkeypatch):
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Screen(Console(file=io.StringIO(), force_terminal=True)) as screen:
        now = 120.0
        assert screen.describe_lap(4) == "2 min, at most about 8 min left"
        now = 150.0  # a mean of rounds is not trained
        assert screen.describe_lap(3) == "30 s, at most about 6 min left"
        assert screen.describe_lap(0) == "0 s"


def test_durations_are_as_exact_as_an_estimate():
    assert [duration(s) for s in (0.4, 89, 90, 3_570, 3_600, 7_800)] == [
        "0 s",
        "89 s",
        "2 min",
        "1 h",
        "1 h",
        "2 h 10 min",
    ]
