"""Run one program: its task, its signals, its exit status."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Final

from ferrolb.telemetry import Logger, get_logger

STOP_DEADLINE_S: Final = 1.8
"""Seconds from SIGTERM until the process ends by force. Users are promised 2 s."""


class StartupError(Exception):
    """The program cannot start; the text says why and what to do. Ends it with status 1."""


def run_program(main: Callable[[], Coroutine[object, object, None]]) -> int:
    """Run `main` until it returns, fails, or a signal cancels it; return the exit status.

    SIGTERM and SIGINT cancel `main`, which has `STOP_DEADLINE_S` to tidy up; a second one ends the
    process at once with status 1. A failure is logged once and gives status 1.
    """
    return asyncio.run(_supervise(main))


async def _supervise(main: Callable[[], Coroutine[object, object, None]]) -> int:
    log = get_logger()
    loop = asyncio.get_running_loop()
    task = loop.create_task(main())
    signals: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        signals.append(number)
        if len(signals) > 1:
            os._exit(1)
        log.info("stopping", signal=number.name)
        loop.call_later(STOP_DEADLINE_S, _end_by_force, log)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        return 0 if signals else 1
    except StartupError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - the one place where a program's failure ends
        return _report(log, error)
    return 0


def _report(log: Logger, error: Exception) -> int:
    """Log a failure; a group whose first leaf is a StartupError is one, told plainly."""
    leaf: BaseException = error
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    if isinstance(leaf, StartupError):
        sys.stderr.write(f"error: {leaf}\n")
    else:
        log.error("program failed", error=repr(leaf), exc_info=error)
    return 1


def _end_by_force(log: Logger) -> None:
    log.error("not stopped in time, ending by force", deadline_s=STOP_DEADLINE_S)
    sys.stdout.flush()
    os._exit(1)
