"""Ctrl-C, SIGTERM and a closed terminal all mean: stop, cleanly and once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = 130


@contextmanager
def stopped_by_signals(*, expected: bool = True) -> Iterator[None]:
    """The first signal raises KeyboardInterrupt; later ones are ignored, so that a clean stop is not cut short.

    `expected`: a signal is the normal end, with exit code 0; else it is 130.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    # Started by nohup: the end of the terminal is not meant for us.
    ours = [n for n in _SIGNALS if not (n == signal.SIGHUP and before[n] == signal.SIG_IGN)]

    def first(number: int, frame: FrameType | None) -> None:
        del number, frame
        for other in ours:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    try:
        for number in ours:
            signal.signal(number, first)
        yield
    except KeyboardInterrupt:
        if not expected:
            raise typer.Exit(_INTERRUPTED)
    finally:
        for number in ours:
            signal.signal(number, before[number])
