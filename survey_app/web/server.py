"""The production server: gunicorn, one process with threads for one instance. `Binding`, `serve_forever`.

One process, because one thread owns the writing connection and groups the commits of all requests that wait; more
processes would only wait for each other's lock. The master restarts the worker if it dies; it holds `server.lock`,
and so does the worker, so that a second server is refused until both have ended.
"""

import signal
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from survey_app.locks import server_lock
from survey_app.nightly import Nightly
from survey_app.problems import Problem, SipasError
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.web.patience import PatientTls
from survey_app.web.quiet import ACCESS_FORMAT, QuietLogger
from survey_app.web.worker import Worker
from survey_app.writer import Writer

THREADS = 32
SWITCH_SECONDS = 0.02
"""Every thread here soon waits for network or disk and gives way by itself; being made to only costs (5 % measured)."""


class ServerError(SipasError):
    """The server cannot start as asked."""


@dataclass(frozen=True)
class Binding:
    """Where and how to serve."""

    host: str = "127.0.0.1"
    port: int = 8000
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False
    development_http: bool = False
    threads: int = THREADS
    access_log: bool = True

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{self.address}/"


def serve_forever(settings: Settings, binding: Binding, ready: Callable[[], None]) -> None:
    """Serve until told to stop (SIGTERM, Ctrl-C); what was received is committed first. Calls `ready` when listening."""
    _check_binding(binding)
    with server_lock(settings.server_lock):
        Store.open(settings, write=False).close()
        Master(Server(settings, binding, ready)).run()


def _check_binding(binding: Binding) -> None:
    if bool(binding.certificate) != bool(binding.key):
        raise ServerError(Problem("certificate and key belong together", "serve", "give --certificate and --key"))
    if binding.certificate and binding.key:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(binding.certificate, binding.key)
        except OSError as error:
            where = f"{binding.certificate}, {binding.key}"
            raise ServerError(
                Problem(f"the certificate cannot be used: {error}", where, "give PEM files that belong together")
            ) from None
    if binding.development_http and binding.host not in {"127.0.0.1", "::1", "localhost"}:
        raise ServerError(
            Problem(
                f"--development-http is for this machine only, not for {binding.host}",
                "serve --host",
                "serve tablets over HTTPS: --certificate and --key, or --behind-proxy (docs/host.md)",
            )
        )
    _check_free(binding)


def _check_free(binding: Binding) -> None:
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((binding.host, binding.port))
        except OSError as error:
            raise ServerError(
                Problem(
                    f"cannot listen on {binding.address}: {error.strerror}",
                    "serve --host --port",
                    "choose another port, or stop the program that uses it",
                )
            ) from None


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn's configuration, and the application, made in the worker after the fork."""

    def __init__(self, settings: Settings, binding: Binding, ready: Callable[[], None]) -> None:
        self._settings = settings
        self._binding = binding
        self._ready = ready
        self._writer: Writer | None = None
        self._nightly: Nightly | None = None
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def _options(self) -> dict[str, Any]:
        binding = self._binding
        options: dict[str, Any] = {
            "bind": binding.address,
            "workers": 1,
            "worker_class": f"{Worker.__module__}.{Worker.__qualname__}",
            "threads": binding.threads,
            "worker_connections": 2000,
            "backlog": 2048,
            "keepalive": 75,
            # Through `patience`, which waits for slow readers in few threads.
            "sendfile": False,
            "timeout": 60,
            "graceful_timeout": 30,
            "loglevel": "warning",
            "accesslog": "-" if binding.access_log else None,
            "access_log_format": ACCESS_FORMAT,
            "logger_class": QuietLogger,
            "proc_name": "sipas",
            "control_socket_disable": True,
            # Only ProxyFix, one hop, decides what a proxy may say.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "when_ready": lambda _: self._ready(),
            "worker_exit": self._finish,
        }
        if binding.certificate:
            options |= {"certfile": str(binding.certificate), "keyfile": str(binding.key), "ssl_context": modern_tls}
        return options

    def load(self) -> Flask:
        sys.setswitchinterval(SWITCH_SECONDS)
        self._writer = Writer(self._settings)
        self._nightly = Nightly(self._settings, self._writer)
        return create_app(
            self._settings,
            writer=self._writer,
            behind_proxy=self._binding.behind_proxy,
            development_http=self._binding.development_http,
        )

    def _finish(self, _master: object, _worker: object) -> None:
        """The worker's last act: end the nightly backup, commit what waits."""
        if self._nightly is not None:
            self._nightly.close()
        if self._writer is not None:
            self._writer.close()


def modern_tls(_config: object, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = PatientTls
    return context


class Master(Arbiter):  # type: ignore[misc]
    """One worker, always: the signals that would reload, multiply or replace workers end in nothing."""

    SIGNALS: ClassVar = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]

    def init_signals(self) -> None:
        super().init_signals()
        for ignored in (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
            signal.signal(ignored, signal.SIG_IGN)

    def handle_int(self) -> None:
        """Ctrl-C is as patient as SIGTERM."""
        raise StopIteration
