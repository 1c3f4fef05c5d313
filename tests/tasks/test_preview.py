import itertools

from napari_ptychonn.tasks import preview
from napari_ptychonn.tasks.preview import PreviewBudget


def test_mosaic_previews_stay_within_their_share_of_the_time(monkeypatch):
    now = itertools.count(step=0.01)
    monkeypatch.setattr(preview.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(preview, "PREVIEW_PAUSE", 0.0)
    budget, made = PreviewBudget(), 0

    def make():
        for _ in range(100):  # one second
            next(now)
        return iter(())

    for _ in range(4000):
        if budget.affords_mosaic():
            budget.make_mosaic(make)
            made += 1
    assert made > 1
    assert made * 1.0 <= preview.PREVIEW_SHARE * next(now) + 1.0


def test_previews_pause(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    budget = PreviewBudget()
    assert budget.affords_point()
    budget.make_point(lambda: iter(()))
    assert not budget.affords_point()
    now[0] += preview.PREVIEW_PAUSE
    assert budget.affords_point()
