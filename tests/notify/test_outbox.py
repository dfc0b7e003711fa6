"""Grouping, limits and retries of one receiver, by a clock that the test turns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrnn.config.notify import ReceiverConfig
from streamrnn.notify.outbox import LONGEST_RETRY, MOST_AT_ONCE, Item, Outbox
from tests.notify.stage import change

HOOK = {"webhook": {"url": "http://127.0.0.1/"}}


def outbox(**changes: Any) -> Outbox:
    return Outbox(ReceiverConfig.model_validate({**HOOK, "group_wait": 10, "group_interval": 60, **changes}))


class Asked:
    """Items that say what became of them."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str | None]] = []

    def item(self, key: str = "pump", number: int = 1, **changes: Any) -> Item:
        one = change(key, number, **changes)
        return Item(one, lambda reason: self.done.append((f"{key} {number}", reason)))


def test_a_group_waits_for_others_and_then_for_its_interval() -> None:
    box, asked = outbox(), Asked()
    box.put(asked.item("a"), 0.0)
    box.put(asked.item("b"), 9.0)
    assert box.due(9.9) is None
    assert box.wait(4.0) == 6.0
    bundle = box.due(10.0)
    assert bundle is not None
    assert [item.change.key for item in bundle.items] == ["a", "b"]
    box.delivered(bundle, 10.5)
    assert asked.done == [("a 1", None), ("b 1", None)]
    box.put(asked.item("c"), 12.0)
    assert box.due(70.0) is None
    assert box.due(70.5) is not None


def test_groups_are_told_apart_and_in_the_order_in_which_they_are_ready() -> None:
    box, asked = outbox(group_by=["kind", "key"]), Asked()
    box.put(asked.item("b"), 0.0)
    box.put(asked.item("a"), 1.0)
    box.put(asked.item("b", 1, state="closed"), 2.0)
    first = box.due(11.0)
    assert first is not None
    assert first.group == ("anomaly", "b")
    assert [item.change.opened for item in first.items] == [True, False]
    box.delivered(first, 11.0)
    second = box.due(11.0)
    assert second is not None
    assert second.group == ("anomaly", "a")


def test_a_failure_is_tried_again_ever_later_and_given_up_in_the_end() -> None:
    box, asked = outbox(retry=2, give_up=3000, group_wait=0.001), Asked()
    box.put(asked.item("a"), 0.0)
    now, pauses = 1.0, []
    for _ in range(9):
        bundle = box.due(now)
        assert bundle is not None
        assert not box.failed(bundle, "gone", now)
        pause = box.wait(now)
        assert pause is not None
        pauses.append(pause)
        now += pause
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, LONGEST_RETRY]
    bundle = box.due(now + 3000)
    assert bundle is not None
    assert box.failed(bundle, "still gone", now + 3000)
    assert asked.done == [("a 1", "still gone")]
    assert box.wait(now + 3000) is None


def test_what_a_receiver_asks_for_is_respected_within_reason() -> None:
    box, asked = outbox(group_wait=0.001), Asked()
    box.put(asked.item("a"), 0.0)
    now = 100.0
    for said, pause in ((30.0, 30.0), (1e9, 3600.0)):
        bundle = box.due(now)
        assert bundle is not None
        box.failed(bundle, "too many", now, said)
        assert box.wait(now) == pause
        now += pause


def test_a_limit_holds_over_all_groups_and_what_waits_is_told_together() -> None:
    box, asked = outbox(group_by=["key"], group_wait=0.001, group_interval=0.001, limit="2 per 1h"), Asked()
    for number in range(1, 6):
        box.put(asked.item("a", number), float(number))
        if (bundle := box.due(number + 0.5)) is not None:
            box.delivered(bundle, number + 0.5)
    assert len(asked.done) == 2
    assert box.wait(6.0) == pytest.approx(3600 + 1.5 - 6.0)
    bundle = box.due(3602.0)
    assert bundle is not None
    assert [item.change.document["alert"] for item in bundle.items] == [3, 4, 5]


def test_a_thousand_at_once_and_no_more() -> None:
    box, asked = outbox(group_wait=0.001, group_interval=0.001), Asked()
    for number in range(1, 2502):
        box.put(asked.item("a", number), 0.0)
    sizes, now = [], 1.0
    while (bundle := box.due(now)) is not None:
        sizes.append(len(bundle.items))
        box.delivered(bundle, now)
        now += 1.0
    assert sizes == [MOST_AT_ONCE, MOST_AT_ONCE, 501]
    assert [name for name, _ in asked.done] == [f"a {number}" for number in range(1, 2502)]


def test_what_was_withdrawn_is_told_to_nobody() -> None:
    box, asked = outbox(group_wait=0.001), Asked()
    items = [asked.item("a", number) for number in (1, 2, 3)]
    for item in items:
        box.put(item, 0.0)
    items[0].withdrawn = items[2].withdrawn = True
    bundle = box.due(1.0)
    assert bundle is not None
    assert bundle.items == [items[1]]
    box.delivered(bundle, 1.0)
    assert asked.done == [("a 2", None)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "ok", "fail", "refuse", "later"]))))
def test_whatever_happens_nothing_is_lost_doubled_or_out_of_order(steps: list[tuple[str, str]]) -> None:
    box, asked = outbox(group_by=["key"], group_wait=1, group_interval=5, limit="3 per 20s"), Asked()
    now, number, given_keys = 0.0, 0, []
    for key, what in steps:
        now += 3.0
        if what == "put":
            number += 1
            given_keys.append(f"{key} {number}")
            box.put(asked.item(key, number), now)
        elif what == "later":
            now += 400.0
        elif (bundle := box.due(now)) is not None:
            if what == "ok":
                box.delivered(bundle, now)
            elif what == "fail":
                box.failed(bundle, "gone", now)
            else:
                box.refused(bundle, ["no"] * len(bundle.items), now)
    while (wait := box.wait(now)) is not None:
        now += wait
        bundle = box.due(now)
        assert bundle is not None, "who is asked to wait so long is not asked to wait again"
        box.delivered(bundle, now)
    assert sorted(name for name, _ in asked.done) == sorted(given_keys)
    for key in "abc":
        mine = [name for name, _ in asked.done if name.startswith(key)]
        assert mine == [name for name in given_keys if name.startswith(key)]
