"""Context variables: set one for a block, and hand all of them on to another thread.

A new thread starts with an empty context. Without these functions it would not mask the secrets of
the running command, and it would not know the command's folder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def context_value(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Set a context variable inside the block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def context_thread(target: Callable[[], object], name: str) -> threading.Thread:
    """Make a daemon thread that runs `target` in a copy of the caller's context."""
    context = copy_context()
    return threading.Thread(target=lambda: context.run(target), name=name, daemon=True)


def submit_in_context(
    pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> Future[T]:
    """Submit a call to a pool of threads, to be run in a copy of the caller's context."""
    context = copy_context()
    return pool.submit(lambda: context.run(function, *args, **kwargs))
