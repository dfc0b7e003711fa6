"""What all estimators with a carried hidden state offer beside river's interface."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class Sequential:
    """An estimator whose events follow one another."""

    _net: Any

    @property
    def hidden_state(self) -> NDArray[Any]:
        """A copy of the hidden state: `learn_one` moves it on, `predict_one` does not."""
        state: NDArray[Any] = self._net.hidden_state
        return state

    def start_sequence(self) -> None:
        """Begin a new sequence: forget the hidden state, keep what was learned."""
        self._net.forget_sequence()
