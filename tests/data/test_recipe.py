from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.data.manifest import DataPlan
from covidct.data.recipe import (
    RECIPES,
    Augmentation,
    Phase,
    Recipe,
    find_recipe,
    is_same,
    list_recipes,
    parse_recipe,
    read_recipe,
)
from covidct.errors import RecipeError
from places import ROOT

SHIPPED = [*sorted((ROOT / "recipes").glob("*.toml")), *sorted(RECIPES.glob("*.toml"))]
HEAD = 'name = "a"\nnetwork = "mobilenet_v2"\n'
PHASE = '[[phases]]\nname = "only"\nepochs = 2\nrate = 1e-3\n'


def read(folder: Path, text: str) -> Recipe:
    path = folder / "some.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_shipped_recipes(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert recipe.phases
    # The first comment is the command.
    assert path.read_text(encoding="utf-8").startswith("# covidct train ")


@pytest.mark.parametrize("name", ["scratch", "mobilenet", "lung"])
def test_recipes_of_the_package_have_names_and_no_sources(name: str) -> None:
    recipe = read_recipe(find_recipe(name))
    assert recipe.name == name
    assert recipe.data == DataPlan(tune=0.2, test=0.2, calibrate=0)


def test_a_recipe_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.touch()
    assert find_recipe(str(path)) == path


@pytest.mark.parametrize("named", ["", "mobilnet", "no/such.toml", "."])
def test_a_recipe_that_is_none_is_told_and_the_names_are_listed(named: str) -> None:
    with pytest.raises(
        RecipeError, match=f"no such recipe; give {', '.join(list_recipes())}, or a TOML file"
    ):
        find_recipe(named)


def test_a_recipe_kept_before_a_key_was_there_is_the_same() -> None:
    recipe = read_recipe(find_recipe("mobilenet"))
    kept = json.loads(json.dumps(asdict(recipe)))
    assert is_same(kept, recipe)
    del kept["augment"]["pastes"], kept["data"]["block"]
    assert is_same(kept, recipe)
    assert not is_same(kept | {"seed": 1}, recipe)
    assert not is_same(kept | {"phases": []}, recipe)


def test_defaults(tmp_path: Path) -> None:
    recipe = read(tmp_path, HEAD + PHASE)
    assert recipe == Recipe("a", "mobilenet_v2", (Phase("only", 2, 1e-3),))
    assert recipe.data == DataPlan()
    assert recipe.augment == Augmentation()


def test_every_table_is_read(tmp_path: Path) -> None:
    text = HEAD + 'size = 64\n[data]\nsources = ["x", "y"]\ntune = 0\n[augment]\nscale = [1, 1.5]\n'
    recipe = read(tmp_path, text + PHASE + PHASE + "freeze = true\n")
    assert recipe.size == 64
    assert recipe.data == DataPlan(sources=("x", "y"), tune=0)
    assert recipe.augment == Augmentation(scale=(1, 1.5))
    assert [phase.freeze for phase in recipe.phases] == [False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = \n", "cannot be read as a recipe: .*line 1"),
        ("name = " + "[" * 100_000, "cannot be read as a recipe: .*recursion"),
        (HEAD, r"at least one \[\[phases\]\] is needed"),
        (HEAD + "phases = []", r"at least one \[\[phases\]\] is needed"),
        (HEAD + 'phases = "two"', r"at least one \[\[phases\]\] is needed"),
        (HEAD + "phases = [3]", r"\[\[phases\]\]: 3 is not a table"),
        (HEAD + "data = 3\n" + PHASE, r"\[data\]: 3 is not a table"),
        ('name = "a"\n' + PHASE, ": network is missing$"),
        (HEAD + '[[phases]]\nname = "b"\nepochs = 1\n', r"\[\[phases\]\]: rate is missing$"),
        (HEAD + "sise = 224\n" + PHASE, "unknown key sise; known are .*batch.*size"),
        (HEAD + PHASE + "epoch = 3\n", r"\[\[phases\]\]: unknown key epoch; known are .*epochs"),
        (HEAD + PHASE + "[augment]\nzoom = 3\n", r"\[augment\]: unknown key zoom"),
        (HEAD + PHASE + "[data]\nblocks = 3\n", r"\[data\]: unknown key blocks"),
    ],
)
def test_what_makes_no_recipe(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=rf"^.*some\.toml.*{message}"):
        read(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('name = "é"'.encode("latin-1"))
    for path in (tmp_path / "missing.toml", tmp_path, tmp_path / "latin.toml"):
        with pytest.raises(RecipeError, match=f"^{path}: cannot be read as a recipe"):
            read_recipe(path)


BAD_TYPES: list[tuple[str, Any, str]] = [
    ("name", 3, "text"),
    ("size", 224.5, "a whole number"),
    ("size", 224.0, "a whole number"),
    ("batch", True, "a whole number"),
    ("batch", [32], "a whole number"),
    ("dropout", "0.2", "a number"),
    ("dropout", math.nan, "a number"),
    ("weight_decay", math.inf, "a number"),
    ("phases.epochs", "two", "a whole number"),
    ("phases.rate", True, "a number"),
    ("phases.freeze", 1, "true or false"),
    ("phases.name", ["a"], "text"),
    ("data.tune", "a", "a number"),
    ("data.sources", "covid-ct", "a list of strings"),
    ("data.positive", [1, 2], "a list of strings"),
    ("augment.scale", 0.5, "a list of 2 numbers"),
    ("augment.scale", [0.5], "a list of 2 numbers"),
    ("augment.scale", [0.5, "a"], "a list of 2 numbers"),
    ("augment.rotation", {}, "a number"),
    ("masked", 1, "true or false"),
]

BAD_VALUES: list[tuple[str, Any, str]] = [
    ("network", "resnet", "network 'resnet' is not one of mobilenet_v2"),
    ("precision", "float16", "precision 'float16' is not one of auto, float32, bfloat16"),
    ("masked", True, "masked needs lungs to be found"),
    ("size", 100, "size 100 must be a multiple of 32"),
    ("size", 0, "size = 0 must lie in 32 to"),
    ("batch", 1, "batch = 1 must lie in 2 to"),
    ("seed", -1, "seed = -1 must lie in 0 to"),
    ("seed", 2**40, "seed"),
    ("dropout", 1.5, "dropout = 1.5 must lie in 0 to"),
    ("average", 1, "average = 1 must lie in 0 to"),
    ("patience", 0, "patience = 0 must lie in 1 to"),
    ("epoch_slices", -1, "epoch_slices"),
    ("weight_decay", 10**400, "weight_decay = 1000.* must lie in 0 to"),
    ("phases.epochs", 0, r"\[\[phases\]\]: epochs = 0 must lie in 1 to"),
    ("phases.rate", 0, r"\[\[phases\]\]: rate = 0 must lie in"),
    ("phases.rate", -1e-3, r"\[\[phases\]\]: rate"),
    ("phases.depth_factor", 0.0, r"\[\[phases\]\]: depth_factor"),
    ("data.tune", 1.1, r"\[data\]: tune = 1.1 must lie in 0 to 1"),
    ("data.calibrate", 0.85, r"\[data\] tune, calibrate and test must leave something"),
    ("data.block", 0, r"\[data\]: block"),
    ("data.positive", [], r"\[data\] positive and negative must each name a label"),
    ("data.negative", ["covid"], r"\[data\] positive and negative must .* share none"),
    ("augment.flip", 2, r"\[augment\]: flip = 2 must lie in 0 to 1"),
    ("augment.rotation", -3, r"\[augment\]: rotation"),
    ("augment.window", 0.5, r"\[augment\]: window"),
    ("augment.scale", [0, 1], r"\[augment\] scale must be two numbers above 0, the smaller first"),
    ("augment.scale", [1.2, 0.8], r"\[augment\] scale"),
]


def put(key: str, value: Any) -> dict[str, Any]:
    """A whole recipe as parsed TOML, with one value in it."""
    table: dict[str, Any] = {"name": "a", "network": "mobilenet_v2"}
    phase: dict[str, Any] = {"name": "only", "epochs": 2, "rate": 1e-3}
    head, _, rest = key.partition(".")
    if head == "phases":
        phase[rest] = value
    elif rest:
        table[head] = {rest: value}
    else:
        table[head] = value
    return table | {"phases": [phase]}


@pytest.mark.parametrize(("key", "value", "kind"), BAD_TYPES)
def test_wrong_types(key: str, value: Any, kind: str) -> None:
    name = key.rpartition(".")[2]
    with pytest.raises(RecipeError, match=rf"^my\.toml.*: {name} = .* must be {kind}$"):
        parse_recipe(put(key, value), where="my.toml")


@pytest.mark.parametrize(("key", "value", "message"), BAD_VALUES)
def test_impossible_values(key: str, value: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=rf"^my\.toml.*{message}"):
        parse_recipe(put(key, value), where="my.toml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
KEYS = (
    "size",
    "seed",
    "data",
    "augment",
    "phases",
    "data.tune",
    "data.positive",
    "augment.scale",
    "phases.rate",
)


@settings(deadline=None, max_examples=25)
@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_is_a_recipe_or_a_recipe_error(key: str, value: Any) -> None:
    table = put(key, value) | ({"phases": value} if key == "phases" else {})
    try:
        recipe = parse_recipe(table)
    except RecipeError as error:
        assert str(error).startswith("recipe")  # noqa: PT017
    else:
        assert isinstance(recipe, Recipe)
        hash(recipe)
