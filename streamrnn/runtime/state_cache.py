"""Decoded states of the keys in use, in front of a store of states: a hot key is not decoded and encoded per event.

At most `capacity` keys are held. Those unseen for longest make room, and `flush` writes back all that changed: before
whatever the store's owner calls durable, such as a commit or a checkpoint. Which keys are held changes no byte.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from streamrnn.errors import ConfigurationError
from streamrnn.runtime.stepper import Event, Stepper, Steps, Table, distinct

Load = Callable[[str], "bytes | None"]
Store = Callable[[str, bytes], None]


class StateCache:
    """Steps over a store.

    Args:
        stepper: what folds.
        load: the state of a key that is not held; None: the key is new.
        store: keep the state of a key.
        capacity: keys to hold; memory is this times the bytes of a state.

    >>> states = {}
    >>> cache = StateCache(Stepper({"model.preset": "lite"}), states.get, states.__setitem__, capacity=100)
    >>> steps = cache.step_many([{"key": "pump-7", "time": 0, "value": 1.0}])
    >>> list(states)
    []
    >>> cache.flush()
    >>> list(states)
    ['pump-7']
    """

    def __init__(self, stepper: Stepper, load: Load, store: Store, capacity: int = 1_000) -> None:
        if capacity < 1:
            raise ConfigurationError(f"a cache holds at least one state, not {capacity}")
        self._stepper, self._load, self._store = stepper, load, store
        self._table = Table(stepper.model, capacity)
        self._free = list(range(capacity - 1, -1, -1))
        self._rows: OrderedDict[str, int] = OrderedDict()  # those unseen for longest first
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        """Keys held."""
        return len(self._rows)

    def step_many(self, events: Sequence[Event]) -> Steps:
        """Fold a batch, as `Stepper.step_many`.

        Raises `StateError` where a state must not be used; what the cache holds is then not to be stored: make another.
        """
        records = distinct([self._stepper.record(event) for event in events])
        decoded = self._stepper.decode(records)
        with self._stepper.lock:
            return self._stepper.fold(self._table, self._rows_of, decoded, records)

    def flush(self) -> None:
        """Store every state that changed since it was stored."""
        keys = list(self._changed)
        self._put(keys)

    def _put(self, keys: Sequence[str]) -> None:
        """Store their states; a series of which there was feedback alone has none."""
        for key, row in zip(keys, self._table.get([self._rows[key] for key in keys]), strict=True):
            if row != self._table.blank:
                self._store(key, self._stepper.states.encode(key, row))
            del self._changed[key]

    def _rows_of(self, keys: Sequence[str]) -> dict[str, int]:
        """A row for each of the keys, which are at most as many as there are rows; they count as changed."""
        absent = [key for key in keys if key not in self._rows]
        states = [self._load(key) for key in absent]
        data = [
            self._stepper.states.decode(key, state) if state else None
            for key, state in zip(absent, states, strict=True)
        ]
        for key in keys:
            if key in self._rows:
                self._rows.move_to_end(key)
        leaving = [key for key, _ in zip(self._rows, range(len(absent) - len(self._free)), strict=False)]
        self._leave(leaving)
        rows = [self._free.pop() for _ in absent]
        self._table.put(rows, data)
        self._rows.update(zip(absent, rows, strict=True))
        self._changed.update(dict.fromkeys(keys))
        return {key: self._rows[key] for key in keys}

    def _leave(self, keys: Sequence[str]) -> None:
        self._put([key for key in keys if key in self._changed])
        for key in keys:
            self._free.append(self._rows.pop(key))
