from __future__ import annotations

import threading

from kpstudio.ui.qt_post import QtPost


def test_functions_run_on_the_ui_thread_in_order(qtbot):
    post, seen = QtPost(), []

    def work():
        for number in range(50):
            post(lambda number=number: seen.append((number, threading.current_thread())))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == []
    qtbot.waitUntil(lambda: len(seen) == 50)
    assert [number for number, _ in seen] == list(range(50))
    assert {where for _, where in seen} == {threading.main_thread()}


def test_nothing_runs_once_it_is_closed(qtbot):
    post, seen = QtPost(), []
    post(lambda: seen.append(1))
    post.close()
    post(lambda: seen.append(2))
    qtbot.wait(20)
    assert seen == []
