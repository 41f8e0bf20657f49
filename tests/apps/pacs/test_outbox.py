"""Reports on their way: whole or not there, and taken back while the peer has nothing of them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from covidct.apps.pacs.outbox import RECORD, Outbox, Parcel

FILES = {"seg.dcm": b"where", "sc.dcm": b"picture", "sr.dcm": b"report"}


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    outbox = Outbox(tmp_path)
    outbox.post("key", FILES, b"{}")
    return outbox


def only(outbox: Outbox) -> Parcel:
    (parcel,) = outbox.parcels()
    return parcel


def test_the_report_goes_first(outbox: Outbox) -> None:
    parcel = only(outbox)
    assert [path.name for path in parcel.files] == ["sr.dcm", "sc.dcm", "seg.dcm"]
    assert parcel.key == "key"
    assert not parcel.begun


def test_parcels_come_in_the_order_in_which_they_were_posted(outbox: Outbox) -> None:
    for key in ("b", "a"):
        outbox.post(key, FILES, b"{}")
    assert [parcel.key for parcel in outbox.parcels()] == ["key", "b", "a"]


@pytest.mark.parametrize(("reached", "withdrawn"), [(False, 1), (True, 0)])
def test_after_a_try_it_is_withdrawn_only_where_the_peer_has_nothing(
    outbox: Outbox, reached: bool, withdrawn: int
) -> None:
    parcel = only(outbox)
    assert outbox.begin(parcel)
    outbox.end(parcel, reached=reached)
    assert only(outbox).begun is reached
    assert outbox.withdraw("key") == withdrawn
    assert len(outbox.parcels()) == 1 - withdrawn


def test_a_later_try_in_vain_does_not_undo_an_earlier_one_that_may_have_reached_the_peer(
    outbox: Outbox,
) -> None:
    for reached in (True, False):
        parcel = only(outbox)
        outbox.begin(parcel)
        outbox.end(parcel, reached=reached)
    assert outbox.withdraw("key") == 0


def test_what_is_being_sent_is_not_withdrawn_though_the_disk_is_full(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "touch", fail)
    assert outbox.begin(only(outbox))
    assert outbox.withdraw("key") == 0


def test_what_was_withdrawn_is_not_sent(outbox: Outbox) -> None:
    parcel = only(outbox)
    assert outbox.withdraw("key") == 1
    assert not outbox.begin(parcel)


def test_after_a_crash_in_mid_sending_it_is_not_withdrawn(tmp_path: Path) -> None:
    before = Outbox(tmp_path)
    before.post("key", FILES, b"{}")
    before.begin(only(before))
    assert Outbox(tmp_path).withdraw("key") == 0


def test_reports_of_other_series_stay(outbox: Outbox) -> None:
    outbox.post("other", FILES, b"{}")
    outbox.withdraw("key")
    assert only(outbox).key == "other"


@pytest.mark.parametrize("is_noted_first", [True, False])
def test_a_parcel_goes_with_its_last_file_once_its_record_is_noted(
    outbox: Outbox, is_noted_first: bool
) -> None:
    folder = only(outbox).folder
    if is_noted_first:
        outbox.noted(folder)
    for left in (2, 1):
        outbox.sent(only(outbox), only(outbox).files[0])
        assert len(only(outbox).files) == left
    outbox.sent(only(outbox), only(outbox).files[0])
    if not is_noted_first:
        assert (folder / RECORD).exists()
        outbox.noted(folder)
    assert not outbox.parcels()


def test_what_the_peer_has_is_not_sent_again_though_it_cannot_be_removed(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    parcel = only(outbox)
    with monkeypatch.context() as disk:
        disk.setattr(Path, "unlink", refuse)
        for path in parcel.files[:2]:
            outbox.sent(parcel, path)
        assert [path.name for path in only(outbox).files] == ["seg.dcm"]
    assert parcel.files[0].exists()
    outbox.sent(parcel, parcel.files[2])
    outbox.noted(parcel.folder)
    assert not [one for one in outbox.parcels() if one.files]
    assert not parcel.folder.exists()
