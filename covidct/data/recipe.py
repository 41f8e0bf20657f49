"""A recipe: one TOML file that says how a model is trained, as frozen values.

Knows the keys and their ranges. Knows nothing of torch: a recipe can be read where only the
base package is installed.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from covidct.data.manifest import DataPlan
from covidct.data.teaching import Teaching
from covidct.errors import RecipeError
from covidct.types import Reason


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes made to a training slice; each share is a probability."""

    rotation: float = 20.0  # degrees, either way
    flip: float = 0.5
    scale: tuple[float, float] = (0.65, 1.2)
    aspect: float = 0.15  # relative change of the ratio of the sides
    shift: float = 0.06  # of the side
    window: float = 0.2  # how far either end of the grey scale moves, of the whole scale
    gamma: float = 0.35  # natural logarithm, either way
    field_of_view: float = 0.2  # share with a round field of view on black
    resolution: float = 0.4  # share resampled from a coarser grid
    noise: float = 0.3
    jpeg: float = 0.35
    marks: float = 0.25  # share with letters, arrows or rulers painted in
    boxes: float = 0.3  # share with a strip or box blanked out
    pastes: float = 0.0  # share of negative slices given the lesions, or the healthy lung, of another

    @property
    def moves(self) -> bool:
        """Whether slices are turned, mirrored, scaled, stretched or shifted."""
        return bool(self.rotation or self.flip or self.aspect or self.shift) or self.scale != (1, 1)


@dataclass(frozen=True)
class Gating:
    """What the gate of a "lung_net" learns: sources of the manifest that show something else.

    `levels` are sources with slices of all levels of the body, which count as chests where the lung finder
    sees lung. `views` are drawn in training; 0 means no gate. Sources that the manifest lacks are skipped.
    """

    views: int = 0
    not_ct: tuple[str, ...] = ()
    radiograph: tuple[str, ...] = ()
    not_chest: tuple[str, ...] = ()
    not_axial: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()

    def meaning(self) -> dict[str, Reason]:
        """The reason why pictures of a source should be refused."""
        kinds = {
            Reason.NOT_CT: self.not_ct,
            Reason.RADIOGRAPH: self.radiograph,
            Reason.NOT_CHEST: self.not_chest,
            Reason.NOT_AXIAL: self.not_axial,
        }
        return {source: reason for reason, sources in kinds.items() for source in sources}


@dataclass(frozen=True)
class Phase:
    """One stretch of training under one schedule, "one_cycle" or "constant".

    `rate` is the highest learning rate of the head; each earlier third of the backbone learns
    at `depth_factor` times the rate of the one after it. With the schedule "constant" it stays the rate.
    `frozen_blocks` of the backbone, counted from the input, keep the weights they have; with `freeze` all do.
    """

    name: str
    epochs: int
    rate: float
    freeze: bool = False
    depth_factor: float = 0.3
    schedule: str = "one_cycle"
    frozen_blocks: int = 0


@dataclass(frozen=True)
class Recipe:
    """All settings of a training run, apart from the data and the machine.

    `balance` draws sources and labels alike, with replacement; without it each slice comes once an epoch.
    `precision` is "float32", "bfloat16", or "auto": bfloat16 where the processor has it. `choose` is what the
    best epoch is best in on `tune`, "auc" or "accuracy"; with "last" it is the last, and `tune` has no say:
    what is best at home need not travel. `resize` is how training slices are brought to size, as the
    network's own graph does it: "antialias" or "nearest". `finder_steps` is how long the lung finder of a
    "lung_net" is trained; other networks have none. It learns from drawn lungs, those of unlabelled slices
    too where `finder_sources` names them. `lesions` and `calm` weigh what its cells are taught: by drawn
    lesions, and by negative slices to show nothing. `weak` is what the label of a slice counts whose lesions
    were not drawn. `offsets` is the rate at which every source learns what to add to its logits, in training
    alone; 0: nothing. Labels of one source then need not mean the same amount of disease as those of another:
    what is learned is to tell slices of one source apart, and no longer which source is which. `masked` hides
    from a "lung_net" what lies outside the lungs. `draws` is how many trainings are
    averaged: they begin alike, and each draws its views by a seed of its own, counted on from `seed`.
    """

    name: str
    network: str
    phases: tuple[Phase, ...]
    pretrained: bool = True
    size: int = 224
    seed: int = 2020
    draws: int = 1
    batch: int = 32
    epoch_slices: int = 0  # slices drawn an epoch; 0 means as many as there are
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    dropout: float = 0.2
    average: float = 0.99  # decay of the averaged weights, a step
    patience: int = 8
    precision: str = "float32"
    balance: bool = True
    choose: str = "auc"
    resize: str = "antialias"
    finder_steps: int = 1500
    finder_sources: tuple[str, ...] = ()
    weak: float = 1.0
    lesions: float = 0.0
    calm: float = 0.0
    offsets: float = 0.0
    context: float = 0.0
    apart: tuple[str, ...] = ()
    apart_context: float = 0.0
    masked: bool = False
    data: DataPlan = field(default_factory=DataPlan)
    augment: Augmentation = field(default_factory=Augmentation)
    gate: Gating = field(default_factory=Gating)
    teaching: Teaching = field(default_factory=Teaching)

    @property
    def finds_lungs(self) -> bool:
        """Whether the network has a lung finder inside."""
        return self.network in LUNG_NETWORKS

    @property
    def contexts(self) -> tuple[float, ...]:
        """The share that is kept of each context: none, one, or one more where a source is apart."""
        if not self.context:
            return ()
        is_apart = not self.data.sources or bool({*self.apart} & {*self.data.sources})
        return (self.context, self.apart_context) if self.apart and is_apart else (self.context,)


LUNG_NETWORKS = ("lung_net", "opacity_net")
# The words that a key may have.
WORDS: Mapping[str, tuple[str, ...]] = {
    "network": ("mobilenet_v2", "six_layers", *LUNG_NETWORKS),
    "precision": ("auto", "float32", "bfloat16"),
    "choose": ("auc", "accuracy", "last"),
    "resize": ("antialias", "nearest"),
    "schedule": ("one_cycle", "constant"),
}
SHARES = (
    "flip",
    "field_of_view",
    "resolution",
    "noise",
    "jpeg",
    "marks",
    "boxes",
    "pastes",
    "context",
    "apart_context",
    "tune",
    "calibrate",
    "test",
)
LARGE = 1e9
# Those that come with the package: on any data, by their names.
RECIPES = Path(__file__).parent / "recipes"
# Lowest and highest value of a key, in whatever table it stands.
RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(SHARES, (0, 1)),
    **dict.fromkeys(("label_smoothing", "dropout", "average"), (0, 0.9999)),
    **dict.fromkeys(("aspect", "shift", "gamma", "weight_decay", "epoch_slices", "views"), (0, LARGE)),
    **dict.fromkeys(("epochs", "patience", "block", "finder_steps"), (1, LARGE)),
    **dict.fromkeys(("rate", "depth_factor"), (1e-9, 10)),
    **dict.fromkeys(("weak", "lesions", "calm", "opacity", "lone"), (0, 100)),
    "frozen_blocks": (0, 18),
    "offsets": (0, 10),
    "batch": (2, LARGE),
    "draws": (1, 99),
    "size": (32, 4096),
    "seed": (0, 2**32 - 1),
    "rotation": (0, 180),
    "window": (0, 0.49),  # at 0.5 black could become white
}
T = TypeVar("T")


def list_recipes() -> tuple[str, ...]:
    """The names of the recipes that come with the package."""
    return tuple(sorted(path.stem for path in RECIPES.glob("*.toml")))


def find_recipe(named: str) -> Path:
    """The file of a recipe, given by path or by the name of a packaged one. Raises RecipeError."""
    if named in list_recipes():
        return RECIPES / f"{named}.toml"
    if not Path(named).is_file():
        raise RecipeError(f"{named}: no such recipe; give {', '.join(list_recipes())}, or a TOML file")
    return Path(named)


def read_recipe(path: Path) -> Recipe:
    """Read a TOML recipe. Raises RecipeError for a key or a value that makes no sense."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # (of TOML, of UTF-8, too)
        raise RecipeError(f"{path}: cannot be read as a recipe: {error}") from error
    return parse_recipe(table, where=str(path))


def is_same(kept: Mapping[str, Any], recipe: Recipe) -> bool:
    """Whether a stored recipe, perhaps from before some keys existed, equals this one."""
    try:
        return parse_recipe(kept) == recipe
    except RecipeError:
        return False


def parse_recipe(table: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """A recipe from the parsed TOML. Raises RecipeError."""
    rest = dict(table)
    phases = rest.pop("phases", [])
    if not isinstance(phases, list) or not phases:
        raise RecipeError(f"{where}: at least one [[phases]] is needed")
    parts = {
        "data": _build(DataPlan, rest.pop("data", {}), f"{where} [data]"),
        "augment": _build(Augmentation, rest.pop("augment", {}), f"{where} [augment]"),
        "gate": _build(Gating, rest.pop("gate", {}), f"{where} [gate]"),
        "teaching": _build(Teaching, rest.pop("teaching", {}), f"{where} [teaching]"),
        "phases": [_build(Phase, phase, f"{where} [[phases]]") for phase in phases],
    }
    recipe = _build(Recipe, rest | parts, where)
    _check(recipe, where)
    return recipe


def _build(kind: type[T], table: object, where: str) -> T:
    """A frozen value from a TOML table, each key of the type and in the range that it must have."""
    if not isinstance(table, dict):
        raise RecipeError(f"{where}: {table!r} is not a table; write its keys below")
    types = get_type_hints(kind)
    if unknown := sorted(set(table) - set(types)):
        raise RecipeError(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(types))}")
    # A default is an attribute of the class, and so is none that a factory makes: those are always given.
    if missing := [key for key in types if key not in table and not hasattr(kind, key)]:
        raise RecipeError(f"{where}: {', '.join(missing)} is missing")
    for key, value in table.items():
        if not _fits(value, types[key]):
            raise RecipeError(f"{where}: {key} = {value!r} must be {_name(types[key])}")
        if key in WORDS and value not in WORDS[key]:
            raise RecipeError(f"{where}: {key} {value!r} is not one of {', '.join(WORDS[key])}")
        if key in RANGES and not RANGES[key][0] <= value <= RANGES[key][1]:
            raise RecipeError(f"{where}: {key} = {value!r} must lie in {'{:g} to {:g}'.format(*RANGES[key])}")
    return kind(**{key: _freeze(value) for key, value in table.items()})


def _freeze(value: object) -> object:
    """A TOML list as a tuple, and the lists in it."""
    return tuple(map(_freeze, value)) if isinstance(value, list) else value


def _fits(value: object, kind: Any) -> bool:
    """Whether a TOML value is of a type: a whole number is a number, but true is neither."""
    if kinds := get_args(kind):
        if not isinstance(value, list):
            return False
        kinds = kinds[:1] * len(value) if kinds[-1] is ... else kinds
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if kind is float:
        return type(value) is int or (type(value) is float and math.isfinite(value))
    return type(value) is kind


def _name(kind: Any) -> str:
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    if kinds := get_args(kind):
        if kinds[-1] is not ...:
            return f"a list of {len(kinds)} numbers"
        return "a list of strings" if kinds[0] is str else "a list of [source, finding or label, number]"
    return names[kind]


def _check(recipe: Recipe, where: str) -> None:
    """What no key can tell by itself. Raises RecipeError."""
    data, (small, large) = recipe.data, recipe.augment.scale
    problems = {
        f"size {recipe.size} must be a multiple of 32": recipe.size % 32 != 0,
        "network six_layers has no pretrained weights: set pretrained = false": (
            recipe.network == "six_layers" and recipe.pretrained
        ),
        "size must be 64 or more for six_layers, which halves it six times": (
            recipe.network == "six_layers" and recipe.size < 64
        ),
        "apart says which sources have a context of their own: set context too": bool(
            recipe.apart and not recipe.context
        ),
        'masked needs lungs to be found: set network = "lung_net" or "opacity_net"': (
            recipe.masked and not recipe.finds_lungs
        ),
        f"opacity_net keeps views: set [teaching] views to {recipe.batch} or more, and frozen_blocks to 7 or "
        "more in every phase": (
            recipe.network == "opacity_net"
            and (
                recipe.teaching.views < recipe.batch
                or any(phase.frozen_blocks < 7 for phase in recipe.phases)
            )
        ),
        "[augment] scale must be two numbers above 0, the smaller first": not 0 < small <= large,
        "[data] tune, calibrate and test must leave something to train on": (
            data.tune + data.calibrate + data.test >= 1
        ),
        "[data] positive and negative must each name a label, and share none": (
            not data.positive or not data.negative or bool({*data.positive} & {*data.negative})
        ),
    }
    for problem, present in problems.items():
        if present:
            raise RecipeError(f"{where}: {problem}")
