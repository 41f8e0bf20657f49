from __future__ import annotations

from covidct.apps.archive.progress import Progress, to_sentences
from covidct.apps.archive.run import Step, Summary


def test_a_line_now_and_then_and_trouble_at_once() -> None:
    said: list[str] = []
    times = iter([0.0, 3.0, 10.0, 11.0])
    progress = Progress(said.append, every_s=10, clock=lambda: next(times))
    progress(Step("slices", 10, 4000))
    progress(Step("slices", 20, 4000, ("x.dcm: is not available now",)))
    assert said == ["x.dcm: is not available now"]
    progress(Step("slices", 2000, 4000))
    assert said[1:] == ["slices: 2,000 of about 4,000, 200.0 a second"]
    progress(Step("headers", 1, None))
    assert len(said) == 2


def test_the_end_says_what_was_done_and_what_is_left() -> None:
    lines = " ".join(to_sentences(Summary(files=5, slices=3, errors=1, known=7, superseded=1, left=2), "out"))
    for part in (
        "5 new or changed files",
        "3 slices",
        "1 slices could not be read",
        "7 studies",
        "1 of them",
    ):
        assert part in lines
    assert "2 were not available: run the same command again" in lines
    assert lines.endswith("Table: out/results")
