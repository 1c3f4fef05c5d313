import logging

import pytest

from napari_ptychonn.app import autosave as drafts
from napari_ptychonn.errors import InputError


class Model:
    """As much of a model as a draft asks for, written as safetensors."""

    provenance = {"scan": "star / 7"}  # noqa: RUF012

    def save(self, path):
        import torch
        from safetensors.torch import save_file

        header = '{"provenance": {"scan": "star / 7"}, "history": [{}, {}]}'
        save_file({"network.a": torch.zeros(2)}, path, {"format": "x", "model": header})


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.setattr(drafts, "folder", lambda: tmp_path / "state" / "drafts")


def test_there_are_none_at_first():
    assert drafts.drafts() == []


def test_a_draft_says_what_it_is():
    path = drafts.keep(Model())
    (draft,) = drafts.drafts()
    assert draft.path == path
    assert draft.sentence.startswith(
        "The model trained on star / 7 (2 epochs) was left unsaved on "
    )
    drafts.drop(draft.path)
    drafts.drop(draft.path)
    assert drafts.drafts() == []


def test_the_newest_are_kept():
    paths = [drafts.keep(Model()) for _ in range(drafts.MOST + 2)]
    assert [draft.path for draft in drafts.drafts()] == paths[: -drafts.MOST - 1 : -1]
    assert not paths[0].exists()


def test_what_is_no_draft_is_passed_over(caplog):
    path = drafts.keep(Model())
    path.with_name("00-broken.safetensors").write_bytes(b"not a model")
    with caplog.at_level(logging.WARNING):
        assert [draft.path for draft in drafts.drafts()] == [path]
    assert "00-broken" in caplog.text


def test_a_full_disk_is_a_warning(monkeypatch, caplog):
    class Unwritable(Model):
        def save(self, path):
            raise InputError(f"{path}: the model could not be written (the disk is full).")

    assert drafts.keep(Unwritable()) is None
    assert "the disk is full" in caplog.text
