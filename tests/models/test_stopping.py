"""Ctrl-C and SIGTERM: where the first one ends a block, and that the second ends the process."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from saccade.models.stopping import Interrupted, deferred, stop_point, stop_wanted, stoppable, uninterrupted


def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_job_at_once(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as stopped, stoppable():
        send(number)
        time.sleep(5)
        pytest.fail("not stopped")
    assert stopped.value.number == number
    assert signal.getsignal(number) is before
    assert not stop_wanted()


def test_a_deferred_block_ends_at_its_own_boundary():
    done = []
    with pytest.raises(Interrupted), stoppable(), deferred():
        send()
        done.append("step")
        assert stop_wanted()
        stop_point()
        done.append("another step")
    assert done == ["step"]


def test_a_deferred_block_without_a_boundary_ends_after_its_end():
    done = []
    with pytest.raises(Interrupted), stoppable():
        with deferred():
            send()
            done.append("all of it")
        done.append("more")
    assert done == ["all of it"]


def test_the_second_signal_does_not_wait():
    done = []
    with pytest.raises(Interrupted), stoppable(), deferred():
        send()
        done.append("first")
        send()
        done.append("second")
    assert done == ["first"]


def test_cleaning_up_comes_to_its_end():
    done = []
    with pytest.raises(Interrupted), stoppable():
        with uninterrupted():
            send()
            send()
            done.append("clean")
        done.append("more")
    assert done == ["clean"]


def test_another_thread_is_left_alone():
    found = []

    def job():
        with stoppable(), deferred():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=job)
    thread.start()
    thread.join()
    assert found == [before]


LONG_CALL = """
import sqlite3
from saccade.models.stopping import stoppable

count = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 4000000000) SELECT count(*) FROM n"
with stoppable(whole_process=True):
    print("ready", flush=True)
    sqlite3.connect(":memory:").execute(count).fetchone()  # C code: no handler of Python's runs before it ends
"""


def test_the_second_signal_ends_a_process_amid_a_long_call():
    with subprocess.Popen([sys.executable, "-c", LONG_CALL], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            for _ in range(2):
                time.sleep(0.3)
                process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 143
            assert process.stderr.read() == b"saccade: stopped at once\n"
        finally:
            process.kill()
