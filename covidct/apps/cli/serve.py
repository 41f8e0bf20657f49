"""`covidct serve`, `node` and `web-app`: where others find the model.

Knows options and exit codes. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from covidct.apps.cli.options import (
    DEBUG,
    FILE,
    FOLDER,
    MODEL,
    choose_model,
    gather,
    needs_extra,
    plain_errors,
)
from covidct.apps.pacs.request import NodeRequest
from covidct.apps.web.settings import Serving
from covidct.types import DISCLAIMER, ModelChoice


@click.command()
@gather(
    "serving",
    Serving,
    click.option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        help="The address to listen on; any but this machine's own needs --token or --no-auth.",
    ),
    click.option(
        "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free one."
    ),
    click.option(
        "--allow-host",
        "names",
        multiple=True,
        metavar="NAME",
        help="A name by which browsers may call this server; may be given again.",
    ),
    click.option(
        "--token",
        envvar="COVIDCT_TOKEN",
        metavar="TOKEN",
        help="What every caller must show, 16 characters or more; `auto` makes one. Better in COVIDCT_TOKEN.",
    ),
    click.option("--no-auth", is_flag=True, help="Let in everybody who reaches the address."),
    click.option(
        "--upload-mb",
        type=click.IntRange(1, 4096),
        default=512,
        show_default=True,
        metavar="MIB",
        help="The most that one upload may have; it is held in memory.",
    ),
    click.option("--certificate", type=FILE, metavar="FILE", help="A TLS certificate (PEM): serve https."),
    click.option("--key", type=FILE, metavar="FILE", help="The certificate's key (PEM)."),
)
@choose_model(
    point="The one for who asks for none, as `covidct info` names them; by default the model's first."
)
@DEBUG
def serve(serving: Serving, choice: ModelChoice) -> None:
    """Serve a page and an API that classify what is uploaded.

    For this machine alone, unless --host says otherwise. What is uploaded stays in memory; nothing of it is
    written to a disk or a log. SIGTERM or Ctrl-C finish what was begun; the second stops at once.
    """
    if (serving.certificate is None) != (serving.key is None):
        raise click.UsageError("--certificate and --key go together")
    if serving.token is not None and serving.no_auth:
        raise click.UsageError("--token and --no-auth exclude each other")
    with plain_errors(), needs_extra("serve"):
        from covidct.apps.web.serve import run_serve

        run_serve(serving, choice)


@click.command("web-app")
@click.argument("out", type=FOLDER)
@MODEL
@click.option(
    "--vendor",
    "vendored",
    type=FOLDER,
    metavar="DIR",
    help="Where scripts/vendor put the page's libraries; by default beside the page.",
)
def web_app(out: Path, bundle: Path | None, vendored: Path | None) -> None:
    """Write a page that runs the model inside the browser.

    OUT is a static folder for any web server: no image leaves the device that shows it, and after the first
    visit it needs no network. Browsers keep it from https addresses and from the same computer only.
    """
    from covidct.apps.web.static_app import write_web_app

    with plain_errors():
        size = write_web_app(out, model=bundle, vendored=vendored)
        click.echo(
            f"{out}: {size / 1e6:.1f} MB. To see it: "
            f"python -m http.server --bind 127.0.0.1 --directory {out} 8001"
        )
        click.echo(DISCLAIMER, err=True)


@click.command()
@gather(
    "asked",
    NodeRequest,
    click.option("--peer", required=True, metavar="AET@HOST:PORT", help="Where reports are sent: the PACS."),
    click.option(
        "--ae-title", default="COVIDCT", show_default=True, metavar="AET", help="What the node is called."
    ),
    click.option(
        "--port", type=click.IntRange(1, 65535), default=11112, show_default=True, help="Where it listens."
    ),
    click.option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        help="On which address. Others than this machine's own also need --allow.",
    ),
    click.option(
        "--allow",
        multiple=True,
        metavar="AET[@ADDRESS]",
        help="Who may send: an AE title, an address or network (@10.1.0.0/16) or both; may be given again.",
    ),
    click.option(
        "--spool", type=FOLDER, metavar="DIR", help="Where it keeps its work; by default in ~/.local/state."
    ),
    click.option(
        "--settle",
        type=click.FloatRange(0, 3600),
        default=3.0,
        show_default=True,
        help="Seconds from the last instance until a series is read, once its sender has taken leave.",
    ),
    click.option(
        "--quiet",
        type=click.FloatRange(0, 86400),
        default=60.0,
        show_default=True,
        help="The same where the association stays open or was broken off.",
    ),
    click.option(
        "--reserve",
        type=click.IntRange(0),
        default=256,
        show_default=True,
        metavar="MB",
        help="Disk space left free; below it nothing more is taken.",
    ),
    click.option(
        "--no-picture", is_flag=True, help="Send the structured report alone, without a Secondary Capture."
    ),
    click.option("--seg", is_flag=True, help="Also send where the evidence lies, as a DICOM Segmentation."),
    click.option("--once", is_flag=True, help="End when all that was sent is answered and delivered."),
    click.option("--tls-cert", type=FILE, metavar="PEM", help="Listen with TLS; the own certificate."),
    click.option("--tls-key", type=FILE, metavar="PEM", help="Its key."),
    click.option(
        "--tls-ca",
        type=FILE,
        metavar="PEM",
        help="Whose certificates are believed; callers then need one too.",
    ),
    click.option("--peer-tls", is_flag=True, help="Send reports with TLS."),
)
@choose_model()
@DEBUG
def node(asked: NodeRequest, choice: ModelChoice) -> None:
    """Run a DICOM node beside a PACS.

    Takes CT series by C-STORE, answers for each one, and sends the answer back by C-STORE: a structured
    report and a picture, in the same study. An instance is acknowledged once it is safe on disk; after a
    crash the node goes on where it was. Ends on Ctrl-C or SIGTERM.

    Its log, on standard error, names no patient. counters.json in the spool counts what it did.
    Exit code: 0; with --once 1 where anything was refused or could not be answered or delivered; 2 when it
    could not start.
    """
    with plain_errors(), needs_extra("pacs"):
        from covidct.apps.pacs.command import run_node

        sys.exit(run_node(asked, choice))
