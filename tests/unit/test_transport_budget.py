"""How often and how much at once."""

from __future__ import annotations

from threading import Barrier, Lock, Thread
from time import monotonic

import httpx
import pytest

from connectors import answers
from connectors.auth import Anonymous
from connectors.budget import Budget
from connectors.http import Transport


def spend(budget, count, *, start=0.0, cost=1, lane=""):
    """Take so many calls as early as allowed; returns when each was taken."""
    now, times = start, []
    for _ in range(count):
        while wait := budget.take(now, cost=cost, lane=lane):
            now += wait
        times.append(now)
    return times


@pytest.mark.parametrize(("windows", "count"), [([(19, 1.0), (190, 10.0)], 400), ([(5, 1.0)], 23), ([(3, 0.5)], 10)])
def test_no_window_ever_holds_more_than_its_calls(windows, count):
    """Looking back from each call, every window is within its limit."""
    times = spend(Budget(windows), count)

    for calls, seconds in windows:
        for end in times:
            assert sum(1 for at in times if end - seconds < at <= end) <= calls


def test_waiting_is_no_longer_than_needed():
    """A full window opens as soon as its oldest call leaves it."""
    times = spend(Budget([(10, 1.0)]), 101)

    assert times[-1] == pytest.approx(10.0, abs=0.05)


def test_heavy_call_counts_as_several():
    """A cost of five uses five calls; more than the window holds is as much as it holds."""
    assert spend(Budget([(10, 1.0)]), 3, cost=5)[-1] >= 1.0
    assert spend(Budget([(10, 1.0)]), 2, cost=50)[-1] >= 1.0


def test_lane_counts_against_the_whole_and_not_the_other_way_round():
    """A refused lane takes nothing from the others."""
    budget = Budget([(4, 1.0)], lanes={"search": [(1, 1.0)]})

    assert budget.take(0.0, lane="search") == 0
    assert budget.take(0.0, lane="search") > 0
    assert [budget.take(0.0) for _ in range(3)] == [0, 0, 0]
    assert budget.take(0.0) > 0


def test_pause_holds_everybody_until_it_ends():
    """A shorter pause does not end a longer one."""
    budget = Budget()
    budget.pause(10.0)
    budget.pause(5.0)

    assert budget.take(7.0) == pytest.approx(3.0)
    assert budget.take(10.0) == 0


def test_requests_in_flight_are_limited():
    """Of ten threads, two are on the wire at a time."""
    now, most = [0], [0]
    lock, pair = Lock(), Barrier(2)

    def wire(request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        pair.wait(timeout=5)
        with lock:
            now[0] -= 1
        return httpx.Response(200, json={})

    http = Transport(
        system="crm",
        origin="https://acme.example",
        auth=Anonymous(),
        classify=answers.by_status,
        budget=Budget(in_flight=2),
        wire=httpx.MockTransport(wire),
    )
    threads = [Thread(target=http.request, args=("GET", "/x"), kwargs={"label": "/x"}) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most[0] == 2
    assert http.calls == 10


def test_sleep_that_takes_no_time_does_not_spin():
    """Tests that skip waiting also skip a long pause."""
    budget = Budget([(2, 30.0)])
    http = Transport(
        system="crm",
        origin="https://acme.example",
        auth=Anonymous(),
        classify=answers.by_status,
        budget=budget,
        sleep=lambda seconds: None,
        wire=httpx.MockTransport(lambda request: httpx.Response(200, json={})),
    )
    budget.pause(monotonic() + 60)
    started = monotonic()

    for _ in range(7):
        http.request("GET", "/x", label="/x")

    assert monotonic() - started < 5
