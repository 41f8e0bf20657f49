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
    host_option,
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
    host_option("--token or --no-auth"),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=8000,
        show_default=True,
        help="Port to listen on; 0: any free one.",
    ),
    click.option(
        "--allow-host",
        "names",
        multiple=True,
        metavar="NAME",
        help="A name under which browsers may call this server; repeatable.",
    ),
    click.option(
        "--root-path",
        "root",
        default="",
        metavar="PATH",
        help="Path that a proxy has put the server under, such as /covidct.",
    ),
    click.option(
        "--token",
        envvar="COVIDCT_TOKEN",
        metavar="TOKEN",
        help="Token for all callers, at least 16 characters; `auto` makes one. Safer in COVIDCT_TOKEN.",
    ),
    click.option("--no-auth", is_flag=True, help="Let in everyone who can reach the address."),
    click.option(
        "--upload-mb",
        type=click.IntRange(1, 4096),
        default=512,
        show_default=True,
        metavar="MIB",
        help="Maximum size of an upload, which is held in memory.",
    ),
    click.option("--certificate", type=FILE, metavar="FILE", help="A TLS certificate (PEM): serve https."),
    click.option("--key", type=FILE, metavar="FILE", help="The certificate's key (PEM)."),
)
@choose_model(
    point="Operating point for requests that name none. Default: the first that `covidct info` lists."
)
@DEBUG
def serve(serving: Serving, choice: ModelChoice) -> None:
    """Serve a page and an API that classify what is uploaded.

    Only for this machine, unless --host says otherwise. Uploads stay in memory; nothing of them is written
    to disk or to a log. SIGTERM or Ctrl-C lets running work finish; a second one stops at once.
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
    help="Where scripts/vendor put the libraries of the page. Default: beside the page.",
)
def web_app(out: Path, bundle: Path | None, vendored: Path | None) -> None:
    """Write a page that runs the model inside the browser.

    OUT is a static folder for any web server. No image leaves the device that shows the page, and after the
    first visit it needs no network. Browsers store it only from https addresses and from the same computer.
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
    click.option("--peer", required=True, metavar="AET@HOST:PORT", help="The PACS that gets the reports."),
    click.option(
        "--ae-title", default="COVIDCT", show_default=True, metavar="AET", help="AE title of the node."
    ),
    click.option(
        "--port", type=click.IntRange(1, 65535), default=11112, show_default=True, help="Port to listen on."
    ),
    host_option("--allow"),
    click.option(
        "--allow",
        multiple=True,
        metavar="AET[@ADDRESS]",
        help="Who may send: an AE title, an address or network (@10.1.0.0/16), or both; repeatable.",
    ),
    click.option(
        "--spool", type=FOLDER, metavar="DIR", help="Folder for its work. Default: in ~/.local/state."
    ),
    click.option(
        "--settle",
        type=click.FloatRange(0, 3600),
        default=30.0,
        show_default=True,
        help="Seconds from the last instance to reading, once the sender has released the association.",
    ),
    click.option(
        "--quiet",
        type=click.FloatRange(0, 86400),
        default=60.0,
        show_default=True,
        help="Seconds if the association stays open or was aborted, or if slices seem to be missing.",
    ),
    click.option(
        "--reserve",
        type=click.IntRange(0),
        default=256,
        show_default=True,
        metavar="MB",
        help="Disk space to keep free: with less, no instance is accepted.",
    ),
    click.option(
        "--max-associations",
        type=click.IntRange(1, 1000),
        default=20,
        show_default=True,
        help="How many associations may be open at once; more are rejected.",
    ),
    click.option(
        "--no-report", is_flag=True, help="Send no structured report, for a PACS that accepts none."
    ),
    click.option(
        "--no-picture", is_flag=True, help="Send only the structured report, without a Secondary Capture."
    ),
    click.option("--seg", is_flag=True, help="Also send the region of the evidence as a DICOM Segmentation."),
    click.option(
        "--once", is_flag=True, help="Stop once everything that was sent is answered and delivered."
    ),
    click.option("--tls-cert", type=FILE, metavar="PEM", help="Listen with TLS, using this certificate."),
    click.option("--tls-key", type=FILE, metavar="PEM", help="The key of the certificate."),
    click.option(
        "--tls-ca",
        type=FILE,
        metavar="PEM",
        help="Trusted authorities; callers then need a certificate, too.",
    ),
    click.option("--peer-tls", is_flag=True, help="Send reports with TLS."),
)
@choose_model()
@DEBUG
def node(asked: NodeRequest, choice: ModelChoice) -> None:
    """Run a DICOM node beside a PACS.

    Receives CT series by C-STORE, answers for each one, and sends the answer back by C-STORE: a structured
    report and a picture, in the same study. An instance is acknowledged once it is safe on disk. After a
    crash the node continues where it was. Ctrl-C or SIGTERM stops it.

    The log, on standard error, names no patient. counters.json in the spool counts what the node did.
    Exit code: 0; with --once 1 if anything was rejected or could not be answered or delivered; 2 if it could
    not start.
    """
    with plain_errors(), needs_extra("pacs"):
        from covidct.apps.pacs.command import run_node

        sys.exit(run_node(asked, choice))
