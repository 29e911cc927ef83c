from __future__ import annotations

from capsa.faces.cli.drawing.meters import Meter, Rate


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(0.0, 0) == 0.0
    for second in range(1, 11):
        slow = rate.at(float(second), 100 * second)
    assert slow == 100.0
    for second in range(11, 21):
        fast = rate.at(float(second), 1000 + 1000 * (second - 10))
    assert fast == 1000.0


def test_a_meter_counts_from_where_it_began_even_if_the_node_begins_anew() -> None:
    meter = Meter(1000)
    meter.note(0.0, 1000)
    meter.note(1.0, 1500)
    assert (meter.total, meter.rate) == (500, 500.0)
    meter.note(2.0, 100)  # it was restarted
    meter.note(4.0, 300)
    assert (meter.total, meter.rate) == (800, 200.0)
