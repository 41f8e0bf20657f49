"""What commands share: kinds of values, options of several commands, and how errors end a command.

Knows click. Knows nothing of what any command does.
"""

from __future__ import annotations

import errno
import logging
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from signal import SIGINT
from typing import Any

import click

from covidct.errors import CovidctError
from covidct.types import ModelChoice


def _find_shipped() -> Path:
    """The bundle that ships; asked when a command is run, as that takes an import."""
    from covidct.inference.bundle import default_path

    return default_path()


MISSING = "an extra is not installed; in the clone of covidct run: {} -m pip install '.[{}]'"
NO_MEMORY = "the memory does not suffice; close other programs, then run the same command again"
# What the loader, Python and torch say for want of memory.
_NO_MEMORY = ("failed to map segment", "can't start new thread", "can't allocate memory")
INTERRUPTED = 128 + SIGINT  # the exit code of what Ctrl-C ended
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DATA = click.Path(exists=True, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)
PLACE = click.Path(path_type=Path)
SHARE = click.FloatRange(0, 1, max_open=True)
# Options of every command that runs a model.
MODEL = click.option(
    "--model",
    "bundle",
    type=FOLDER,
    metavar="BUNDLE",
    help="Model directory. Default: the one that ships.",
)
# Of commands that measure a model.
BUNDLE = click.argument("bundle", type=FOLDER, default=_find_shipped)
GRAPH = click.option(
    "--float/--int8",
    "precision",
    default=True,
    callback=lambda _context, _option, is_float: "float" if is_float else "int8",
    show_default=True,
    help="Graph to run. int8 is smaller and faster; its logits differ from those of float, mostly by less "
    "than 0.3.",
)
POINT = "An operating point that `covidct info` lists. Default: the first."
THREADS = click.option(
    "--threads", type=click.IntRange(1, 256), help="Cores to use. Default: all that are available."
)


def _log_tracebacks(context: click.Context, option: click.Parameter, is_wanted: bool) -> None:
    if is_wanted:
        logger, handler = logging.getLogger("covidct"), logging.StreamHandler()
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        context.call_on_close(lambda: logger.removeHandler(handler))


DEBUG = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_log_tracebacks,
    help="Log tracebacks of unforeseen errors on standard error; they may quote headers.",
)

Command = Callable[..., None]
Decorator = Callable[[Command], Command]
# Those that mean COVID-19, and those that mean something else.
Labels = tuple[tuple[str, ...], tuple[str, ...]]


def gather(name: str, make: Callable[..., object], *options: Decorator) -> Decorator:
    """Options that make one value: the command is given `name`, what `make` makes of them by their names."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(*arguments: object, **values: object) -> None:
            values[name] = make(**{option: values.pop(option) for option in names})
            command(*arguments, **values)

        known = len(getattr(command, "__click_params__", ()))
        for option in reversed(options):
            option(run)
        parameters: list[click.Parameter] = run.__click_params__[known:]  # type: ignore[attr-defined]
        names = [str(parameter.name) for parameter in parameters]
        return run

    return decorate


def choose_model(*more: Decorator, point: str = POINT) -> Decorator:
    """Which model answers, as `choice`; `point` is the help of --operating-point, `more` comes after it."""
    named = click.option("--operating-point", metavar="NAME", help=point)
    return gather("choice", ModelChoice, MODEL, GRAPH, named, *more, THREADS)


# Options of commands that read a data set.
SPLIT = click.option(
    "--split",
    type=click.Choice(["train", "tune", "calibrate", "test", "external", "all"]),
    default="tune",
    show_default=True,
    help="Labelled slices to use. Rows without a split get the one that training gave them, or external.",
)
SOURCES = click.option(
    "--source", "sources", multiple=True, metavar="NAME", help="Only this source; repeatable."
)
PRETRAINED = click.option(
    "--pretrained",
    type=FILE,
    envvar="COVIDCT_PRETRAINED",
    metavar="FILE",
    help="ImageNet weights (safetensors, or PyTorch's .pth). Default: download them from PyTorch.",
)
WORKERS = click.option(
    "--workers", type=click.IntRange(0, 64), default=0, help="Processes that prepare slices; 0: none."
)


def out_option(what: str, *, kind: click.Path = FOLDER, metavar: str = "DIR") -> Decorator:
    """Where a command writes; `what` is the help."""
    return click.option("--out", required=True, type=kind, metavar=metavar, help=what)


def accept_option(what: str) -> Decorator:
    """The reason to go on against advice, "" for none; `what` is the help."""
    return click.option("--accept", default="", metavar="REASON", help=what)


def host_option(needs: str) -> Decorator:
    """The address to listen on; `needs` are options without which others are not let in."""
    what = f"Address to listen on. Any but this machine's own needs {needs}."
    return click.option("--host", default="127.0.0.1", show_default=True, help=what)


def data_option(what: str, *, folders: bool = True, required: bool = True) -> Decorator:
    """The data set of a command: a manifest, or with `folders` one sub-folder a class; `what` is in it."""
    return click.option(
        "--data",
        required=required,
        type=DATA if folders else FILE,
        envvar="COVIDCT_MANIFEST",
        metavar="MANIFEST.csv|FOLDER" if folders else "MANIFEST.csv",
        help=what,
    )


class _Prevalence(click.FloatRange):
    """Between 0 and 1, exclusive; a range alone lets `nan` pass."""

    def __init__(self) -> None:
        super().__init__(0, 1, min_open=True, max_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number between 0 and 1.", param, ctx)
        return float(number)


PREVALENCE = _Prevalence()

# Options of commands that answer for slices and series.
AT_PREVALENCE = click.option(
    "--prevalence",
    type=PREVALENCE,
    metavar="P",
    help="Also report probability, PPV and NPV at this prevalence (share of slices with COVID-19).",
)
ALL_SERIES = click.option(
    "--all-series", is_flag=True, help="Answer every suitable series, not only one per study."
)


def labels_options(command: Command) -> Command:
    """Which labels of a data set mean what; () where nothing is said."""
    options = (
        click.option(
            "--positive",
            multiple=True,
            metavar="LABEL",
            help="A label, or class folder, that means COVID-19; repeatable. Default: covid.",
        ),
        click.option(
            "--negative",
            multiple=True,
            metavar="LABEL",
            help="One that means something else; repeatable. Default: non-covid, no-lesion.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def to_labels(positive: tuple[str, ...], negative: tuple[str, ...]) -> Labels:
    """What `labels_options` give, as one value."""
    return positive, negative


@contextmanager
def plain_errors() -> Iterator[None]:
    """Report an error that ends a command in one line, with code 2; 1 means slices that were not read."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader has seen enough (`| head`): click ends quietly
    except CovidctError as error:
        raise _Failure(str(error)) from error
    except OSError as error:
        raise _Failure(_to_sentence(error)) from error
    except MemoryError as error:
        raise _Failure(NO_MEMORY) from error
    except (ImportError, RuntimeError) as error:
        if not _lacks_memory(error):
            raise
        raise _Failure(NO_MEMORY) from error


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether want of memory is behind an error, or behind what led to it: torch's exporter wraps it."""
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def _to_sentence(error: OSError) -> str:
    """What the system says, where, and what to do."""
    where = f"{error.filename}: " if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return f"{where}no space is left; free some, then run the same command again"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{where}cannot be written or read ({error.strerror}); change permissions, or the place"
        case errno.ENOMEM:
            return NO_MEMORY
        case _:
            return str(error)


@contextmanager
def tell_when_stopped(tell: Callable[[], str]) -> Iterator[None]:
    """At Ctrl-C say what stands and how to go on, as `tell` puts it, in place of "Aborted!"."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nStopped. {tell()}", err=True)
        sys.exit(INTERRUPTED)


class _Failure(click.ClickException):
    """An error that ends a command."""

    exit_code = 2


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Report a missing library of an extra with the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "covidct":
            raise
        raise _Failure(f"{error.name} is missing: {MISSING.format(sys.executable, extra)}") from error
