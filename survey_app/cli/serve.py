"""`sipas serve`."""

from pathlib import Path

import click

from survey_app.cli.context import instance_path
from survey_app.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("--certificate", type=click.Path(dir_okay=False, path_type=Path), help="TLS certificate chain (PEM).")
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), help="TLS private key (PEM).")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front does TLS and sets X-Forwarded-* (docs/host.md).")
@click.option("--development-http", is_flag=True, help="Plain http with a working kiosk, on this machine only.")
@click.option("--access-log/--no-access-log", default=True, show_default=True, help="A line for each request.")
def serve(
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    behind_proxy: bool,
    development_http: bool,
    access_log: bool,
) -> None:
    """Serve the kiosk pages and the device API.

    Example: sipas serve --host 0.0.0.0 --port 8443 --certificate cert.pem --key key.pem
    """
    # Flask and gunicorn are imported here, so that `sipas serve --help` answers at once.
    from survey_app.web.server import Binding, serve_forever

    settings = Settings.load(instance_path())
    binding = Binding(
        host=host,
        port=port,
        certificate=certificate,
        key=key,
        behind_proxy=behind_proxy,
        development_http=development_http,
        access_log=access_log,
    )
    serve_forever(
        settings, binding, ready=lambda: click.echo(f"Serving {settings.instance} at {binding.url} (stop with Ctrl-C)")
    )
