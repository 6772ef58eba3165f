"""`sipas demo`."""

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from survey_app.cli.context import instance_path

if TYPE_CHECKING:
    from survey_app.demo import DemoServer, Outcome

DEFAULT = Path("instance/demo")


@click.command()
@click.option(
    "--instance",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Folder of the demo; replaced only if it is a demo.  [default: sipas --instance, else {DEFAULT}]",
)
@click.option(
    "--responses", type=click.IntRange(50, 1_000_000), default=6000, show_default=True, help="Expected number."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed, the same answers.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Or the next one free.")
@click.option("--no-serve", is_flag=True, help="End after the report instead of serving the kiosk.")
def demo(instance: Path | None, responses: int, seed: int, port: int, no_serve: bool) -> None:
    """Field a simulated wave and show the whole chain, then serve a kiosk to try; everything is SIMULATED.

    Example: sipas demo --no-serve --responses 400 --instance /tmp/demo
    """
    from survey_app.demo import DemoServer, free_port, run_demo

    server = DemoServer(free_port(None if no_serve else port))
    path = instance or _given_before() or DEFAULT
    try:
        outcome = run_demo(path, responses, seed, server, _Command(path), click.echo)
        _show(outcome, server, served=not no_serve)
        if not no_serve:
            _serve(server)
    finally:
        server.stop()


def _serve(server: "DemoServer") -> None:
    """Until Ctrl-C, or a plain kill: here that is how it ends."""
    try:
        server.wait()
    except KeyboardInterrupt:
        click.echo("\nDừng. / Stopped.")


def _given_before() -> Path | None:
    """`sipas --instance DIR demo`, or SIPAS_INSTANCE: unless nobody named a folder, that one."""
    parent = click.get_current_context().parent
    named = parent is not None and parent.get_parameter_source("instance") not in (
        None,
        click.core.ParameterSource.DEFAULT,
    )
    return instance_path() if named else None


class _Command:
    """Runs a command of `sipas` on the demo's instance, in this process, and keeps what it prints."""

    def __init__(self, instance: Path) -> None:
        self.instance = instance

    def __call__(self, *arguments: str) -> str:
        from survey_app.cli import sipas

        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            sipas.main(["--instance", str(self.instance), *arguments], prog_name="sipas", standalone_mode=False)
        return printed.getvalue()


USES = {
    "counter": (
        "Người dùng dịch vụ tại quầy: để cải thiện từng lĩnh vực; không thay thế Chỉ số SIPAS do Bộ Nội vụ công bố.",
        "Service users at the counter: to improve each field; it does not replace the ministry's SIPAS.",
    ),
    "sample": (
        "Mẫu hộ dân: ước lượng của tỉnh về chỉ số hai nội dung, không phải số công bố của Bộ Nội vụ.",
        "A sample of residents: the province's own estimate of the two-area index, not the ministry's figure.",
    ),
}
"""What each report may be used for."""


def _show(outcome: "Outcome", server: "DemoServer", served: bool) -> None:
    click.echo(f"\nXong sau {outcome.seconds:.0f} giây / Done in {outcome.seconds:.0f} s. MÔ PHỎNG / SIMULATED.")
    for kind, reports in (("counter", outcome.counter), ("sample", outcome.sample)):
        click.echo("")
        for line in USES[kind]:
            click.echo(f"  {line}")
        click.echo(f"    Báo cáo:             {(reports / 'report.html').as_uri()}")
        click.echo(f"    Report in English:   {(reports / 'report.en.html').as_uri()}")
        if served:
            click.echo(
                f"      tải về / download: {server.url}/demo/reports/{reports.name}/report.html (report.en.html)"
            )
        click.echo(f"    Bảng điểm / scores:  {reports / 'scores.csv'}")
    if served:
        click.echo(f"\n  Dùng thử / to try, mô phỏng / simulated: {server.url}/enrol")
        for name, trial in (("Máy tại quầy / kiosk", outcome.kiosk), ("Phỏng vấn / interviewer", outcome.interviewer)):
            click.echo(f"    {name}: mã cài đặt (một lần, 24 giờ) / enrolment code: {trial.code} (once, 24 h)")
        click.echo("\nCtrl-C để dừng / to stop.")
