"""What a step costs, state in and state out, beside an event of a batch.

    python benchmarks/steps.py

Prints for each preset the bytes of a state, and the processor time of a `step` beside two others of the same run: an
event of `step_many`, and reading and writing the event with Python's own `json`. Medians of seven turns of two hundred
events.
"""

from __future__ import annotations

import json
import statistics
import time

from streamrnn import Stepper

TURNS, EVENTS = 7, 200


def main() -> None:
    """Measure and print."""
    for preset in ("lite", "standard"):
        stepper = Stepper({"model.preset": preset})
        events = [
            {"key": "a", "time": 1_767_225_600 + 3600 * hour, "value": float(hour % 24 + hour % 7)}
            for hour in range(2 * EVENTS)
        ]
        young: bytes | None = None
        for event in events[:EVENTS]:
            young, _ = stepper.step(young, event)
        alone, together, plain = [], [], []
        for _ in range(TURNS):
            state = young
            begin = time.process_time()
            for event in events[EVENTS:]:
                state, _ = stepper.step(state, event)
            alone.append(time.process_time() - begin)
            begin = time.process_time()
            states, _ = stepper.step_many({"a": young}, events[EVENTS:])
            together.append(time.process_time() - begin)
            assert states["a"] == state
            begin = time.process_time()
            for event in events[EVENTS:]:
                json.loads(json.dumps(event))
            plain.append(time.process_time() - begin)
        ratio, beside = (
            statistics.median(one / other for one, other in zip(alone, others, strict=True))
            for others in (together, plain)
        )
        micros = 1e6 * statistics.median(alone) / EVENTS
        size = len(young or b"")
        print(f"{preset}: a state of {size:,} bytes; a step takes {micros:.0f} us, as {ratio:.1f} events of a batch")
        print(f"  and {beside:.0f} times json.loads(json.dumps(event))")


if __name__ == "__main__":
    main()
