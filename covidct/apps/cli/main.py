"""The command line: the group `covidct`, and which commands are in it.

Knows their names, and where they are. Each module beside it knows the options of a few, is imported when one
of them is called, and imports what is heavy inside the command that needs it: so commands start at once.
"""

from __future__ import annotations

import signal
import sys
import threading
from importlib import import_module
from io import TextIOWrapper
from signal import SIGTERM

import click

import covidct

# Each command, and its module beside this one.
COMMANDS = {
    **dict.fromkeys(("archive",), "archive"),
    **dict.fromkeys(("audit", "augment", "split"), "data"),
    **dict.fromkeys(("evaluate", "examine", "gate"), "measure"),
    **dict.fromkeys(("info", "predict"), "predict"),
    **dict.fromkeys(("node", "serve", "web-app"), "serve"),
    **dict.fromkeys(("benchmark", "calibrate", "card", "train"), "train"),
}
TERMINATED = 128 + SIGTERM  # the exit code of what SIGTERM ended


class LazyGroup(click.Group):
    """The group of COMMANDS, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, as help lists them."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"covidct.apps.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
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
