import threading

from napari_ptychonn.widgets.common.task_runner import TaskRunner


class Waiting:
    activity = "training"

    def __init__(self):
        self.may_end = threading.Event()

    def run(self, should_stop):
        self.may_end.wait(60)
        yield from ()


def test_a_running_task_has_a_readable_name_in_the_window(window, qtbot):
    task, ended = Waiting(), threading.Event()
    runner = TaskRunner(task, lambda event: None, ended.set)
    runner.start()
    manager = window.window._task_status_manager  # noqa: SLF001 -- napari has no public one
    qtbot.waitUntil(lambda: "Executing" in str(manager.get_status()), timeout=60_000)
    assert "Executing PtychoNN (training)" in str(manager.get_status())
    task.may_end.set()
    qtbot.waitUntil(ended.is_set, timeout=60_000)
