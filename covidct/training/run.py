"""Training, the straight line:
manifest -> split -> audit -> fit -> export -> calibrate -> evaluate -> card -> bundle.

Knows the order of the steps and what is written where.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import covidct
from covidct.audit.report.write import write_reports
from covidct.audit.run import audit
from covidct.audit.verdict import Audit, Level
from covidct.data.digest import check_digest, digest_data, write_digest
from covidct.data.manifest import DataPlan, Manifest, Row, select_rows, to_label, write_manifest
from covidct.data.masks import Mask, has_mask
from covidct.data.pixels import read_pixels
from covidct.data.recipe import Recipe
from covidct.data.slice_store import SliceStore
from covidct.data.split import assign_splits, count_splits, fit_block
from covidct.errors import AuditError, RecipeError
from covidct.evaluation.calibration.fit import PREVALENCE, Slices, calibrate
from covidct.evaluation.calibration.pool import Pool, read_pool
from covidct.evaluation.calibration.pool_config import to_calibration, to_record
from covidct.evaluation.card.card import to_card
from covidct.evaluation.card.record import parse_record
from covidct.evaluation.measure import evaluate_rows
from covidct.evaluation.predictions import group_rows, run_rows, score_logits
from covidct.evaluation.report import Report
from covidct.evaluation.report_files import write_report
from covidct.evaluation.report_json import from_sections, to_figures
from covidct.evaluation.subgroups import measure_subgroups
from covidct.images.hounsfield import LUNG_CENTRE, LUNG_WIDTH
from covidct.inference.bundle import CARD, GRAPHS, REFERENCE, Bundle, default_path, load_bundle, write_sums
from covidct.inference.classifier import Classifier
from covidct.inference.config import CONFIG, FORMAT, parse_config
from covidct.inference.gate import check_outputs, to_config
from covidct.inference.reference import to_reference
from covidct.inference.session import Outputs, Session
from covidct.training.checkpoint import CHECKPOINT, own_folder
from covidct.training.export import check_float, check_int8, count_spared, export_float, export_int8
from covidct.training.fit import find_finder, find_finder_rows, fit
from covidct.training.fit_lung_finder import FINDER, read_finder, save_finder
from covidct.training.gate.fit_gate import GATE, choose_limits, fit_gate, load_gate
from covidct.training.learning_rates import find_rate, read_rate
from covidct.training.machine.precision import find_device, is_bfloat16
from covidct.training.machine.processes import ALONE, Processes
from covidct.training.networks.build import Network
from covidct.training.networks.gate_head import GateHead
from covidct.training.networks.lung_finder import LungFinder
from covidct.training.networks.lung_net import LungNet
from covidct.training.pretrained import Pretrained
from covidct.training.report.write import write_page
from covidct.types import GateLimits, Precision

SAMPLE_SIZE = "sample-size"
CALIBRATION_SLICES = 200
PARITY_SLICES = 100
LIBRARIES = ("numpy", "onnx", "onnxruntime", "torch")


@dataclass(frozen=True)
class Job:
    """The settings of a training run.

    `accept` is the reason to train although the audit fails; it goes into the model card. `pool` is the
    folder of a benchmark of this recipe: the model is calibrated on the sources left out there, or else on
    splits of its own. `search` is whether the rate of each phase is searched, in place of the recipe's.
    `processes` are those that learn together.
    """

    recipe: Recipe
    manifest: Manifest
    out: Path
    version: str = "0.1.0"
    pretrained: Pretrained | None = None
    notes: str = ""
    workers: int = 0
    accept: str = ""
    pool: Path | None = None
    search: bool = False
    processes: Processes = ALONE

    @property
    def store(self) -> SliceStore:
        """Where decoded slices are stored during the run."""
        return SliceStore(self.out / "slices")


def train(job: Job) -> Path:
    """Go from manifest to bundle; returns the bundle's folder, `out/bundle`.

    Under `out` also: `manifest.csv` with every split, `audit.html` and `audit.json`, `metrics.csv`,
    `curves.png`, checkpoints, `evaluation/` of the bundle on `tune`, and on `test/` where there is such a
    split and no lock on it, and `report.html`, which shows it all. Raises ManifestError if `out` holds a run
    on other data, TrainingError if another process trains there, and AuditError if the audit fails and
    `accept` is empty. Several processes all learn; only the first does the rest.
    """
    rows = split_rows(job)
    if not job.processes.is_first:
        return _train(job, rows)
    with own_folder(job.out):
        try:
            return _train(job, rows)
        finally:
            job.store.remove()


def _train(job: Job, rows: Sequence[Row]) -> Path:
    processes = job.processes
    audited = prepare_run(job, rows) if processes.is_first else None
    processes.wait()
    if job.search:
        found = choose_rates(job, rows) if processes.is_first else job.recipe
        job = replace(job, recipe=processes.tell(found))
    network = fit(
        job.recipe,
        rows,
        out=job.out,
        pretrained=job.pretrained,
        workers=job.workers,
        processes=processes,
        read=job.store.read,
    )
    if audited is None:
        return job.out / "bundle"
    if isinstance(network, LungNet) and (gate := find_gate(job, rows, network.crop.finder)) is not None:
        network.guard(gate)
    bundle = build_bundle(job, rows, network, audited=audited)
    write_page(job.out, job.manifest, job.recipe, rows=rows, audited=audited, read=job.store.read)
    return bundle


def prepare_run(job: Job, rows: Sequence[Row]) -> Audit:
    """Bind `out` to the data, audit them, and have a lung finder where the recipe needs one."""
    data = check_data(job, rows)
    write_manifest(rows, job.out / "manifest.csv")
    audited = audit_rows(job, rows)
    write_digest(job.out, data)
    make_finder(job, rows)
    return audited


def use_threads(count: int) -> None:
    """Train on so many cores, 1 or more."""
    torch.set_num_threads(count)


def check_data(job: Job, rows: Sequence[Row]) -> dict[str, str]:
    """Digests of a job's data. Raises ManifestError where `out` holds a run on others."""
    digest = job.pretrained.digest if job.pretrained else ""
    data = digest_data(rows, job.recipe.data, pretrained=digest)
    check_digest(job.out, data, begun=(job.out / CHECKPOINT).is_file())
    return data


def split_rows(job: Job) -> tuple[Row, ...]:
    """The rows that a job's recipe asks for, each in a split."""
    plan = job.recipe.data
    rows = select_rows(job.manifest, plan)
    if (block := fit_block(rows, plan)) != plan.block:
        whole = f"{block} slices with neighbouring numbers count" if block > 1 else "each slice counts"
        click.echo(
            f"Few slices, and no patient ids: {whole} as one patient (of larger sets, {plan.block} slices), "
            "so that every split gets both classes.",
            err=True,
        )
    return assign_splits(rows, plan)


def choose_rates(job: Job, rows: Sequence[Row]) -> Recipe:
    """The recipe with the rates that a search suggests; those of an earlier search under `out` stay."""
    phases = []
    for number, phase in enumerate(job.recipe.phases):
        rate = read_rate(job.out, number)
        if rate is None:
            found = find_rate(job.recipe, rows, out=job.out, pretrained=job.pretrained, phase=number)
            rate = found.suggestion
        click.echo(f"{phase.name}: learning rate {rate:.1e}, {phase.rate:.1e} in the recipe", err=True)
        phases.append(replace(phase, rate=rate))
    return replace(job.recipe, phases=tuple(phases))


def search_rates(job: Job) -> Iterator[str]:
    """Search the learning rate of every phase; gives a line on each. Writes `rates-N.csv` and `.png`.

    Raises ManifestError where `out` holds a search or a run on other data.
    """
    rows = split_rows(job)
    with own_folder(job.out):
        yield from _search(job, rows)


def _search(job: Job, rows: Sequence[Row]) -> Iterator[str]:
    data = check_data(job, rows)
    write_digest(job.out, data)
    make_finder(job, rows)
    for number, phase in enumerate(job.recipe.phases):
        found = find_rate(job.recipe, rows, out=job.out, pretrained=job.pretrained, phase=number)
        yield (
            f"phase {number + 1}, {phase.name}: {found.suggestion:.1e} suggested, {phase.rate:.1e} in the "
            "recipe; "
            f"see {job.out / f'rates-{number + 1}.png'}"
        )


def make_finder(job: Job, rows: Sequence[Row]) -> LungFinder | None:
    """A recipe's finder, if it has one: that under `out`, else trained on lung masks, labelled or not.

    Without any mask it is the finder of the model that ships.
    """
    drawn = [*rows, *find_finder_rows(job.recipe, job.manifest)]
    is_there = not job.recipe.finds_lungs or (job.out / FINDER).is_file()
    if not is_there and not has_mask(drawn, Mask.LUNG):
        click.echo("No lung masks beside the slices: lungs are found as by the model that ships.", err=True)
        save_finder(read_finder((default_path() / GRAPHS["float"]).read_bytes()), job.out / FINDER)
    return find_finder(job.recipe, drawn, out=job.out, pretrained=job.pretrained, workers=job.workers)


def find_gate(job: Job, rows: Sequence[Row], finder: LungFinder) -> GateHead | None:
    """A recipe's gate, if it has one: that under `out`, else trained on `train` and all that is no chest."""
    gating = job.recipe.gate
    if not gating.views:
        return None
    if (job.out / GATE).is_file():
        return load_gate(job.out / GATE)
    return fit_gate(
        _only(rows, "train"), job.manifest.rows, gating, finder=finder, out=job.out, seed=job.recipe.seed
    )


def train_gate(job: Job) -> Path:
    """Train lung finder and gate alone, where `out` has none yet; returns the file of the gate.

    Raises RecipeError for a recipe without them.
    """
    rows = split_rows(job)
    with own_folder(job.out):
        data = check_data(job, rows)
        write_digest(job.out, data)
        finder = make_finder(job, rows)
        if finder is None or find_gate(job, rows, finder) is None:
            raise RecipeError(
                f"recipe {job.recipe.name}: has no gate; it needs a network with a lung finder, and "
                "[gate] views above 0"
            )
    return job.out / GATE


def audit_rows(job: Job, rows: Sequence[Row]) -> Audit:
    """Audit the rows as they were split, and write the reports. Raises AuditError."""
    # With the rows that no label takes in: the audit names and counts them.
    passed = (row for row in job.manifest.rows if row.label not in job.recipe.data.labels)
    manifest = Manifest(job.manifest.path, job.manifest.digest, (*rows, *passed))
    found = audit(manifest, job.recipe.data, store=job.store)
    page = job.out / "audit.html"
    write_reports(found, manifest, html=page, document=job.out / "audit.json", read=job.store.read)
    # Few patients can be learned from; what is measured on them says little, and the run says that.
    for check in found.checks:
        if check.name == SAMPLE_SIZE and check.level is not Level.PASS:
            click.echo(check.findings[0].text, err=True)
    if found.level is Level.FAIL and not job.accept:
        titles = "; ".join(check.title for check in found.checks if check.level is Level.FAIL)
        raise AuditError(
            f"{job.manifest.path}: the audit fails ({titles}): see {page}. Fix the data, or say why to go "
            "on with --accept REASON, which goes into the model card"
        )
    return found


def build_bundle(job: Job, rows: Sequence[Row], network: Network, *, audited: Audit) -> Path:
    """Export, check, calibrate, evaluate and describe a network; the bundle appears when all is done."""
    folder, final = job.out / "bundle.partial", job.out / "bundle"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    parity = _export(network, rows, job, folder)
    pool = read_pool(job.pool, job.recipe, job.manifest) if job.pool else None
    config = _calibrate(job, rows, folder, pool) | {"training": _record(job, rows, parity, audited)}
    config["training"] |= {} if pool is None else to_record(pool)
    _write_json(folder / CONFIG, config)
    _write_json(folder / REFERENCE, to_reference({name: _session(folder, name) for name in GRAPHS}))
    reports = {name: evaluate(folder, rows, job, precision=name) for name in GRAPHS}
    write_report(reports["float"], job.out / "evaluation")
    config["training"] |= _figures(reports, rows, job) | {"notes": job.notes}
    _write_json(folder / CONFIG, config)
    (folder / CARD).write_text(to_card(parse_record((folder / CONFIG).read_bytes())), encoding="utf-8")
    write_sums(folder)
    load_bundle(folder)
    shutil.rmtree(final, ignore_errors=True)
    return folder.rename(final)


def evaluate(folder: Path, rows: Sequence[Row], job: Job, *, precision: Precision) -> Report:
    """What will ship on the `tune` split, measured before there are a card and checksums."""
    config = parse_config((folder / CONFIG).read_bytes(), where=str(folder / CONFIG))
    classifier = Classifier(
        Bundle(folder, config, files={}),
        _session(folder, precision),
        precision=precision,
        operating_point=config.operating_points[0],
    )
    return evaluate_rows(
        classifier,
        _only(rows, "tune"),
        job.recipe.data,
        split="tune",
        digest=job.manifest.digest,
        read=job.store.read,
    )


def _figures(reports: Mapping[Precision, Report], rows: Sequence[Row], job: Job) -> dict[str, Any]:
    """What was measured, for the card to be made from, now and again."""
    report = reports["float"]
    subgroups = measure_subgroups(
        report.overall.rows, rows, threshold=report.protocol.threshold, read=job.store.read
    )
    return {
        "figures": {name: to_figures(report) for name, report in reports.items()},
        "subgroups": {name: from_sections(sections) for name, sections in subgroups.items()},
    }


def _export(network: Network, rows: Sequence[Row], job: Job, folder: Path) -> dict[str, float]:
    """Write both graphs; returns how far they are apart, on all of `tune`. Raises ParityError."""
    float_path, int8_path = folder / GRAPHS["float"], folder / GRAPHS["int8"]
    export_float(network, float_path)
    rng = np.random.default_rng(job.recipe.seed)
    train = _only(rows, "train")
    drawn = rng.choice(len(train), min(CALIBRATION_SLICES, len(train)), replace=False)
    ranges = list(read_pixels([train[at] for at in drawn], label="calibration", read=job.store.read))
    export_int8(float_path, int8_path, ranges, spared=count_spared(network))
    tune = _only(rows, "tune")
    slices = list(read_pixels(tune, label="tune", read=job.store.read))
    labels = [to_label(row, job.recipe.data) for row in tune]
    sample = rng.choice(len(slices), min(PARITY_SLICES, len(slices)), replace=False)
    apart = check_float(network, float_path.read_bytes(), [slices[at] for at in sample])
    logits = {name: score_logits(_session(folder, name), slices) for name in GRAPHS}
    aucs = {name: float(roc_auc_score(labels, given)) for name, given in logits.items()}
    positives = sum(labels)
    check_int8(aucs["float"], aucs["int8"], pairs=positives * (len(labels) - positives))
    return {"float_logit": apart, "float_auc": aucs["float"], "int8_auc": aucs["int8"]}


def _calibrate(job: Job, rows: Sequence[Row], folder: Path, pool: Pool | None) -> dict[str, Any]:
    """The configuration's numbers, from the float graph, which is the one that runs by default."""
    plan, session = job.recipe.data, _session(folder, "float")
    parts = [_only(rows, split) for split in ("calibrate", "tune")]
    seen = [run_rows(session, part, read=job.store.read) for part in parts]
    limits = to_limits([outputs for part in seen for outputs in part])
    # What is refused gets no probability, so it has no say in what a probability is.
    spared, tune = (
        _describe(part, outputs, plan).choose(
            np.array([check_outputs(one, 0, limits).accepted for one in outputs], bool)
        )
        for part, outputs in zip(parts, seen, strict=True)
    )
    return {
        "format": FORMAT,
        "name": f"covidct-{job.recipe.name}",
        "version": job.version,
        "labels": {"positive": plan.positive[0], "negative": plan.negative[0]},
        "window": [LUNG_CENTRE, LUNG_WIDTH],
        **(_calibrate_splits(spared, tune) if pool is None else to_calibration(pool)),
        "prevalence": PREVALENCE,
        "gate": None if limits is None else to_config(limits),
    }


def _calibrate_splits(spared: Slices, tune: Slices) -> dict[str, Any]:
    """Scale and operating points from splits of the model's own data."""
    scale, points = calibrate(spared, tune)
    return {**asdict(scale), "operating_points": [asdict(point) for point in points]}


def to_limits(seen: Sequence[Outputs]) -> GateLimits | None:
    """The limits of a graph's gate, chosen on real slices, one each; None where it has no gate."""
    if any(outputs.gate is None for outputs in seen):
        return None
    logits = np.concatenate([outputs.gate for outputs in seen if outputs.gate is not None])
    lungs = np.concatenate([outputs.lung for outputs in seen if outputs.lung is not None])
    return choose_limits(logits, lungs)


def _describe(rows: Sequence[Row], seen: Sequence[Outputs], plan: DataPlan) -> Slices:
    """Rows with their logits, as they are calibrated on."""
    logits = np.array([outputs.logit[0] for outputs in seen], np.float64)
    labels = np.array([to_label(row, plan) for row in rows], np.int64)
    patients = group_rows(rows)
    return Slices(logits, labels, [row.source for row in rows], patients)


def _record(job: Job, rows: Sequence[Row], parity: dict[str, float], audited: Audit) -> dict[str, Any]:
    """What a reader needs to make the model again, without any path of this machine."""
    return {
        "recipe": asdict(job.recipe),
        "manifest_sha256": job.manifest.digest,
        "splits": count_splits(rows, job.recipe.data),
        "bfloat16": is_bfloat16(job.recipe.precision, find_device()),
        "block": fit_block(select_rows(job.manifest, job.recipe.data), job.recipe.data),
        "pretrained": None
        if job.pretrained is None
        else {"origin": job.pretrained.origin, "sha256": job.pretrained.digest},
        "parity": parity,
        "audit": {
            "level": audited.level,
            "checks": [
                {"title": check.title, "level": check.level, "headline": check.headline}
                for check in audited.checks
            ],
            "accepted": job.accept if audited.level is Level.FAIL else "",
        },
        "versions": {
            "covidct": covidct.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
    }


def _only(rows: Sequence[Row], split: str) -> list[Row]:
    return [row for row in rows if row.split == split]


def _session(folder: Path, precision: Precision) -> Session:
    return Session((folder / GRAPHS[precision]).read_bytes())


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")
