"""After a failed group a deadline is a deadline again, on every Python 3.11."""

import asyncio

import pytest

from telemetry.cancellation import Requests


async def fail_soon() -> None:
    await asyncio.sleep(0)
    raise OSError("gone")


async def fail_in_a_group() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fail_soon())
        tasks.create_task(asyncio.Event().wait())


async def test_a_deadline_after_a_failed_group_raises_a_timeout():
    requests = Requests()
    with pytest.raises(ExceptionGroup):
        await fail_in_a_group()
    requests.forget_newer()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def test_a_wish_to_stop_that_was_there_before_stays():
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(0)
    Requests().forget_newer()
    assert task.cancelling() == 1
    task.uncancel()
