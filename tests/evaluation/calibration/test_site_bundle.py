from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundles import CUTOFFS
from covidct.apps.cli.commands.calibrate import to_calibration
from covidct.apps.cli.commands.card import rewrite_card
from covidct.apps.web.model_facts import to_facts
from covidct.errors import BundleError
from covidct.evaluation.calibration.site import compare, fit_site, with_figures
from covidct.evaluation.calibration.site_bundle import to_config, write_site_bundle
from covidct.evaluation.calibration.site_record import Site
from covidct.inference.bundle import CARD, SUMS, load_bundle, write_sums
from covidct.inference.config import CONFIG
from covidct.stats.resampling import Resampling
from figures.cards import bundle as bundle  # the fixture: a bundle that records its figures
from figures.hospitals import write_home_bundle
from figures.sites import simulate

SITE = Site("ward", "2026-01-31", "cd" * 32, ("h",), {"without a label": 2}, 0)


def calibrate(folder: Path, out: Path) -> Path:
    given = load_bundle(folder)
    slices = simulate(shift=2.0)
    found = compare(slices, to_calibration(given.config), resampling=Resampling(20))
    write_site_bundle(given, to_config(given, SITE, with_figures(fit_site(slices), found.after), found), out)
    return out


def test_a_card_made_again_keeps_what_was_and_what_is(bundle: Path, tmp_path: Path) -> None:
    """Figures are of the original calibration, and so is the rule beside them; the site's come last."""
    original = rewrite_card(bundle)
    out = calibrate(bundle, tmp_path / "ward")
    written = (out / CARD).read_text(encoding="utf-8")
    assert rewrite_card(out) == written
    assert load_bundle(out).card == written
    head, section = written.split("## Calibrated for a site: ward\n")
    assert head.splitlines()[0] == "# tiny 1.2.3+ward"
    assert original.partition("\n")[2].strip() in head
    assert "/ 2.000), fitted on `calibrate`" in head
    assert "- On 2026-01-31, with 90 slices with COVID-19 of 30 patients and 90 without of" in section
    assert "Left out: 2 without a label." in section


def test_figures_of_the_calibration_that_was_are_not_shown_beside_answers(
    bundle: Path, tmp_path: Path
) -> None:
    before, after = (
        to_facts(load_bundle(path), "float") for path in (bundle, calibrate(bundle, tmp_path / "ward"))
    )
    assert set(before["figures"][0]["metrics"]) == {"auc", "sensitivity", "specificity"}
    assert set(after["figures"][0]["metrics"]) == {"auc"}
    assert after["model"] == "tiny-1.2.3+ward"


def test_files_that_a_bundle_has_besides_come_with_it(tmp_path: Path) -> None:
    home = write_home_bundle(tmp_path / "home")
    (home / "LICENSE").write_text("terms")
    names = [path.name for path in home.iterdir() if path.name != SUMS]
    write_sums(home, names)
    assert (calibrate(home, tmp_path / "ward") / "LICENSE").read_text() == "terms"
    assert "LICENSE" in load_bundle(tmp_path / "ward").files


@pytest.mark.parametrize(("second", "is_kept"), [("high_sensitivity", True), ("sensitive", False)])
def test_a_calibration_for_series_stays_where_its_points_have_their_names(
    tmp_path: Path, second: str, is_kept: bool
) -> None:
    home = write_home_bundle(tmp_path / "home")
    table = json.loads((home / CONFIG).read_text())
    points = [
        point | {"name": name}
        for point, name in zip(table["operating_points"], ("balanced", second), strict=True)
    ]
    table |= {"operating_points": points, "findings": CUTOFFS}
    table["series"] = {"temperature": 3.0, "shift": 1.0, "operating_points": points, "findings": CUTOFFS}
    (home / CONFIG).write_text(json.dumps(table))
    write_sums(home)
    before, after = load_bundle(home).config, load_bundle(calibrate(home, tmp_path / "ward")).config
    assert after.findings == before.findings
    assert after.series == (before.series if is_kept else None)


def test_a_disk_that_fills_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = write_home_bundle(tmp_path / "home")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("covidct.evaluation.calibration.site_bundle.write_sums", fail)
    with pytest.raises(OSError, match="No space left"):
        calibrate(home, tmp_path / "wards" / "ward")
    assert list((tmp_path / "wards").iterdir()) == []


def test_a_version_that_has_build_metadata_already(tmp_path: Path) -> None:
    home = write_home_bundle(tmp_path / "home")
    table = json.loads((home / CONFIG).read_text()) | {"version": "2.0.0+night.3"}
    (home / CONFIG).write_text(json.dumps(table))
    write_sums(home)
    assert load_bundle(calibrate(home, tmp_path / "ward")).config.version == "2.0.0+night.3.ward"


@pytest.mark.parametrize("record", [{"name": "ward"}, {"name": 3, "day": "2026-01-31"}, ["ward"]])
def test_a_record_that_is_none_is_refused_on_loading(tmp_path: Path, record: object) -> None:
    home = write_home_bundle(tmp_path / "home")
    (home / CONFIG).write_text(json.dumps(json.loads((home / CONFIG).read_text()) | {"site": record}))
    write_sums(home)
    with pytest.raises(BundleError, match="is not the configuration of a bundle"):
        load_bundle(home)


def test_a_record_without_figures_makes_no_card(bundle: Path, tmp_path: Path) -> None:
    out = calibrate(bundle, tmp_path / "ward")
    table = json.loads((out / CONFIG).read_text())
    del table["site"]["figures"]
    (out / CONFIG).write_text(json.dumps(table))
    write_sums(out)
    with pytest.raises(BundleError, match="the site's calibration cannot be read"):
        rewrite_card(out)
