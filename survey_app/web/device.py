"""Which device is asking: by bearer token on the API, by cookie on the pages, never the one for the other.

`current_device`, `bearer_device`, `set_device_cookie`, `renew_device_cookie`, `require_safe_transport`.
"""

from ipaddress import ip_address

from flask import Response, g, request

from survey_app.model import Device
from survey_app.web.context import services
from survey_app.web.errors import WebProblem

API_PREFIX = "/api/"
COOKIE_DAYS = 400  # the longest a browser keeps a cookie; each start page of the kiosk renews it
TOKEN_BOUND = 200


def cookie_name() -> str:
    """`__Host-` binds the cookie to this host and to HTTPS; without TLS on this machine only, browsers refuse it."""
    return "device" if services().development_http else "__Host-device"


def set_device_cookie(response: Response, token: str) -> None:
    """Let the browser's page routes act as this device. The API takes no cookie."""
    response.set_cookie(
        cookie_name(),
        token,
        max_age=COOKIE_DAYS * 86_400,
        path="/",
        secure=not services().development_http,
        httponly=True,
        samesite="Strict",
    )


def renew_device_cookie(response: Response) -> None:
    """Let a tablet in use never run out."""
    if token := request.cookies.get(cookie_name()):
        set_device_cookie(response, token)


def current_device() -> Device | None:
    """The device that asks, None when it is unknown or says nothing; `DeviceRevoked` when it was withdrawn.

    On the API only the bearer token counts, on pages only the cookie.
    """
    if "device" not in g:
        token = _bearer_token() if request.path.startswith(API_PREFIX) else request.cookies.get(cookie_name())
        g.device = services().reader().device_by_token(token) if token and len(token) <= TOKEN_BOUND else None
    device: Device | None = g.device
    return device


def bearer_device() -> Device:
    """The device of an API request, or the problem 401 that says what is wrong with its token."""
    device = current_device()
    if device is None:
        raise WebProblem("unknown-token" if _bearer_token() else "no-token")
    return device


def _bearer_token() -> str | None:
    authorization = request.authorization
    if authorization is None or authorization.type != "bearer":
        return None
    return authorization.token or None


def require_safe_transport() -> None:
    """Refuse to hand out a token over plain http, except on this machine itself."""
    if request.is_secure or (_loopback_name(request.host) and _loopback_address(request.remote_addr)):
        return
    raise WebProblem("insecure-transport")


def _loopback_name(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return name == "localhost" or _loopback_address(name.strip("[]"))


def _loopback_address(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False
