from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from covidct.apps.pacs import outbox as node_outbox
from covidct.apps.pacs.record import Content, Record, to_stamp
from covidct.apps.pacs.spool import Spool, to_key
from covidct.errors import NodeError

KEY = to_key("1.2.3")
MODEL = "tiny-1.2.3"
REPORT = {"SOPInstanceUID": "9.9"}


def record(*instances: str, model: str = MODEL, spool: Spool | None = None) -> Record:
    """Of instances that are in the spool, if one is given, or that never were."""
    paths = {path.stem: path for path in spool.instances(KEY)} if spool else {}
    stamps = {uid: to_stamp(paths[uid]) if uid in paths else "none" for uid in instances}
    return Record({uid: Content(stamp, "who", "what") for uid, stamp in stamps.items()}, model, REPORT)


def test_a_key_tells_nothing_of_the_series() -> None:
    assert to_key("1.2.4") != KEY
    assert "1.2.3" not in KEY
    assert len(KEY) == 16


def test_what_is_kept_is_there_for_the_next_node(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.keep(KEY, "1.1", b"one")
        spool.keep(KEY, "1.2", b"two")
    with Spool(tmp_path) as spool:
        assert [path.read_bytes() for path in spool.instances(KEY)] == [b"one", b"two"]
        assert spool.unanswered(model=MODEL) == [KEY]


def test_others_may_not_look_into_it(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        spool.keep(KEY, "1.1", b"one")
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert (spool.series / KEY).stat().st_mode & 0o077 == 0


def test_a_spool_has_one_node(tmp_path: Path) -> None:
    with Spool(tmp_path), pytest.raises(NodeError, match="another node"):
        Spool(tmp_path)
    with Spool(tmp_path):
        pass


def test_a_spool_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NodeError, match="cannot hold a spool"):
        Spool(tmp_path / "file")


def test_an_instance_that_does_not_fit_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Spool(tmp_path) as spool:
        spool.keep(KEY, "1.1", b"one")
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            spool.keep(KEY, "1.2", b"two")
        assert [path.name for path in (spool.series / KEY).iterdir()] == ["1.1.dcm"]


def test_below_the_reserve_nothing_is_taken(tmp_path: Path) -> None:
    with Spool(tmp_path, reserve=1 << 60) as spool:
        with pytest.raises(OSError, match="reserve") as caught:
            spool.keep(KEY, "1.1", b"one")
        assert caught.value.errno == errno.ENOSPC
        assert not spool.instances(KEY)


def test_a_series_is_answered_once(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.keep(KEY, "1.1", b"one")
        spool.keep(KEY, "1.2", b"two")
        spool.post(KEY, {"sr.dcm": b"report"}, record("1.1", "1.2", spool=spool))
        assert spool.is_answered(KEY, model=MODEL)
        assert spool.unanswered(model=MODEL) == []
        assert not spool.is_answered(KEY, model="another")
        spool.keep(KEY, "1.3", b"late")
        assert spool.unanswered(model=MODEL) == [KEY]


def test_an_instance_that_comes_again_is_looked_at_before_it_goes(tmp_path: Path) -> None:
    """Its UID may be all that it has in common with what was answered."""
    with Spool(tmp_path) as spool:
        for uid in ("1.1", "1.2"):
            spool.keep(KEY, uid, b"one")
        spool.post(KEY, {"sr.dcm": b"report"}, record("1.1", "1.2", spool=spool))
        spool.keep(KEY, "1.2", b"one")
        assert spool.unanswered(model=MODEL) == [KEY]
        spool.sweep(model=MODEL, now=time.time() + 4000)
        assert len(spool.instances(KEY)) == 2
        spool.remember(KEY, record("1.1", "1.2", spool=spool))
        assert spool.is_answered(KEY, model=MODEL)


def test_reports_leave_in_order_and_the_report_before_its_picture(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.post(KEY, {"seg.dcm": b"where", "sc.dcm": b"picture", "sr.dcm": b"report"}, record("1.1"))
        spool.post(to_key("5"), {"sr.dcm": b"other"}, record("5.1"))
        first, second = spool.parcels()
        assert (first.key, second.key) == (KEY, to_key("5"))
        assert [path.name for path in first.files] == ["sr.dcm", "sc.dcm", "seg.dcm"]
        spool.leaving.sent(first, first.files[0])
        assert [path.name for path in spool.parcels()[0].files] == ["sc.dcm", "seg.dcm"]
        spool.leaving.sent(first, first.files[1])
        spool.leaving.sent(first, first.files[2])
        assert spool.parcels() == [second]


def test_a_report_that_does_not_fit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Spool(tmp_path) as spool:
        monkeypatch.setattr(
            node_outbox, "write_durably", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
        )
        with pytest.raises(OSError, match="full"):
            spool.post(KEY, {"sr.dcm": b"report"}, record("1.1"))
        assert list(spool.outbox.iterdir()) == []
        assert spool.record(KEY) is None


def test_what_a_killed_node_left_is_put_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-written files go; a report that was posted but not noted is noted, and not made again."""
    with Spool(tmp_path) as spool:
        spool.keep(KEY, "1.1", b"one")
        made = record("1.1", spool=spool)
        monkeypatch.setattr(spool, "remember", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            spool.post(KEY, {"sr.dcm": b"report"}, made)
        (spool.series / KEY / "1.2.dcm.partial").write_bytes(b"tw")
        (spool.outbox / f"{KEY}-1.partial").mkdir()
    with Spool(tmp_path) as spool:
        assert spool.record(KEY) == made
        assert spool.unanswered(model=MODEL) == []
        assert list(tmp_path.rglob("*.partial")) == []
        assert len(spool.parcels()) == 1


def test_a_report_that_waits_for_the_peer_is_not_taken_for_the_last_one(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.post(KEY, {"sr.dcm": b"first"}, record("1.1"))
        spool.post(KEY, {"sr.dcm": b"second"}, record("1.1", "1.2"))
        first, second = spool.parcels()
        spool.leaving.sent(second, second.files[0])
    with Spool(tmp_path) as spool:
        assert spool.record(KEY) == record("1.1", "1.2")
        assert spool.parcels() == [first]


def test_a_parcel_that_was_sent_when_the_node_was_killed_is_not_sent_for_ever(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.post(KEY, {"sr.dcm": b"report"}, record("1.1"))
        spool.parcels()[0].files[0].unlink()
        assert spool.parcels() == []
    with Spool(tmp_path) as spool:
        assert list(spool.outbox.iterdir()) == []
        assert spool.record(KEY) == record("1.1")


def test_a_damaged_note_is_as_good_as_none(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.keep(KEY, "1.1", b"one")
        (spool.done / f"{KEY}.json").write_text("{")
        assert spool.unanswered(model=MODEL) == [KEY]


def test_attempts_are_counted_over_crashes(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.keep(KEY, "1.1", b"one")
        assert spool.count_attempt(KEY) == 1
    with Spool(tmp_path) as spool:
        assert spool.count_attempt(KEY) == 2
        spool.forget_attempts(KEY)
        assert spool.count_attempt(KEY) == 1


def test_what_is_set_aside_takes_the_place_of_what_was(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for data in (b"one", b"two"):
            spool.keep(KEY, "1.1", data)
            assert spool.count_attempt(KEY) == 1
            spool.set_aside(spool.series / KEY)
        assert [path.name for path in (spool.failed / KEY).iterdir()] == ["1.1.dcm"]
        assert (spool.failed / KEY / "1.1.dcm").read_bytes() == b"two"
        assert spool.unanswered(model=MODEL) == []


def test_what_is_set_aside_loses_nothing_that_was(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for uid in ("1.1", "1.2"):
            spool.keep(KEY, uid, b"one")
            spool.set_aside(spool.series / KEY)
        assert sorted(path.name for path in (spool.failed / KEY).iterdir()) == ["1.1.dcm", "1.2.dcm"]


def test_answered_series_go_after_an_hour_and_records_after_a_month(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for key, uid in ((KEY, "1.1"), (to_key("5"), "5.1")):
            spool.keep(key, uid, b"one")
        spool.post(KEY, {"sr.dcm": b"report"}, record("1.1", spool=spool))
        spool.sweep(model=MODEL, now=time.time() + 3000)
        assert spool.instances(KEY)
        spool.sweep(model=MODEL, now=time.time() + 4000)
        assert not spool.instances(KEY)
        assert spool.instances(to_key("5")), "not answered yet"
        assert spool.is_answered(KEY, model=MODEL)
        spool.sweep(model=MODEL, now=time.time() + 31 * 86400)
        assert spool.record(KEY) is None


def test_answered_series_go_at_once_where_room_is_short(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.keep(KEY, "1.1", b"one")
        spool.post(KEY, {"sr.dcm": b"report"}, record("1.1", spool=spool))
    with Spool(tmp_path, reserve=1 << 60) as spool:
        spool.sweep(model=MODEL, now=time.time())
        assert not spool.instances(KEY)
        assert len(spool.parcels()) == 1


def test_a_full_disk_is_told_and_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real disk of a megabyte."""
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=1m none {tmp_path} 2>/dev/null"):
        pytest.skip("a small disk can be mounted by root alone")
    try:
        with Spool(tmp_path) as spool:
            monkeypatch.setattr(spool, "_check_room", lambda _: None)
            spool.keep(KEY, "1.1", bytes(400_000))
            with pytest.raises(OSError, match="No space"):
                spool.keep(KEY, "1.2", bytes(800_000))
            spool.keep(KEY, "1.3", bytes(100_000))
            assert [path.stem for path in spool.instances(KEY)] == ["1.1", "1.3"]
    finally:
        os.system(f"umount {tmp_path}")
