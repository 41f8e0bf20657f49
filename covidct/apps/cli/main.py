"""The command line: the group `covidct`, and which commands are in it.

Knows their names. Each module beside it knows the options of a few, and imports what is heavy
inside the command that needs it, so that `covidct --help` answers at once.
"""

from __future__ import annotations

import signal
import sys
import threading
from io import TextIOWrapper
from signal import SIGTERM

import click

import covidct
from covidct.apps.cli.archive import archive
from covidct.apps.cli.data import audit, augment, split
from covidct.apps.cli.measure import evaluate, examine, gate
from covidct.apps.cli.predict import info, predict
from covidct.apps.cli.serve import node, serve, web_app
from covidct.apps.cli.train import benchmark, calibrate, card, train

COMMANDS = (
    *(archive, audit, augment, benchmark, calibrate, card, evaluate, examine, gate),
    *(info, node, predict, serve, split, train, web_app),
)

TERMINATED = 128 + SIGTERM  # the exit code of what SIGTERM ended


@click.group(
    commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(covidct.__version__, prog_name="covidct")
def main() -> None:
    """Classify axial chest-CT slices for COVID-19 pneumonia. Research use only; not a medical device."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Names of files need not be valid text, and not every terminal has every letter.
        sys.stdout.reconfigure(errors="backslashreplace")
    _clean_up_at_sigterm(click.get_current_context())


def _clean_up_at_sigterm(context: click.Context) -> None:
    """Have SIGTERM end a command as an error does, so that what it has half done is removed."""
    # Only where nobody has other plans, and from the one thread that may do this.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(SIGTERM) is signal.SIG_DFL:
        signal.signal(SIGTERM, lambda *_: sys.exit(TERMINATED))
        context.call_on_close(lambda: signal.signal(SIGTERM, signal.SIG_DFL))
