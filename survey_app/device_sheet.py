"""New devices with their one-time codes, as one printable page of cards to cut apart.

`make_sheet`, `Sheet`, `Order`, `page_address`, `address_with_code`. The file holds secrets and stands alone: it fetches nothing. It takes its
place while the transaction that adds the devices still waits for its commit: whatever fails, there is either the file
and its devices, or neither. Only a process killed in that moment leaves a file, and its codes are then worth nothing.
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import segno
from jinja2 import Environment
from markupsafe import Markup

from survey_app.access import CODE_LIFE
from survey_app.model import VIETNAM, Device
from survey_app.problems import Problem, SipasError
from survey_app.store import Store

CARDS_A_PAGE = 6
MAX_DEVICES = 1000
MAX_ADDRESS = 90
"""A longer one neither fits the card nor is typed without mistakes."""
ENROL_PATH = "/enrol"


class SheetError(SipasError):
    """The sheet cannot be made as asked; no device was added."""


@dataclass(frozen=True)
class Order:
    """For which centres, how many devices each, and what kind of device."""

    centres: tuple[str, ...]
    count: int = 1
    simulated: bool = False
    interviewer: bool = False


@dataclass(frozen=True)
class Sheet:
    """What was made; the codes stand in the file alone."""

    file: Path
    devices: tuple[Device, ...]
    until: datetime


@dataclass(frozen=True)
class Card:
    device: str
    centre: str
    code: str
    image: str
    open_image: str
    """Opens the set-up page with the code in it; empty without an address."""
    until: datetime
    simulated: bool
    interviewer: bool


def make_sheet(store: Store, order: Order, file: Path, address: str | None = None) -> Sheet:
    """Add the devices and write their cards to `file`, both or neither; an existing file is never overwritten."""
    if not 1 <= len(order.centres) * order.count <= MAX_DEVICES:
        what = f"{len(order.centres)} centres × {order.count} devices are not 1 to {MAX_DEVICES}"
        raise SheetError(Problem(what, "device sheet", "make several sheets"))
    _refuse_unknown(store, order.centres)
    added: list[tuple[Device, str]] = []
    ours: list[os.stat_result] = []
    try:
        with store.group():
            added = _add(store, order)
            cards = [_card(store, device, code, order, address) for device, code in added]
            _place(page(cards, store.settings.province, address), file, ours)
    except BaseException:
        # Interrupted at any moment: the file stays exactly if the devices do.
        if ours and _is_at(file, ours[0]) and not _known(store, added):
            file.unlink(missing_ok=True)
        raise
    devices = tuple(device for device, _ in added)
    return Sheet(file, devices, min(device.created for device in devices) + CODE_LIFE)


def _refuse_unknown(store: Store, centres: Sequence[str]) -> None:
    known = {centre.code for centre in store.centres()}
    unknown = [code for code in centres if code not in known]
    if unknown:
        raise SheetError(
            [
                Problem(f"there is no centre {code!r}", "--centre", "see the centres: sipas centre list")
                for code in unknown
            ]
        )


def _add(store: Store, order: Order) -> list[tuple[Device, str]]:
    purpose: Literal["counter", "sample"] = "sample" if order.interviewer else "counter"
    return [
        store.add_device(centre, order.simulated, purpose=purpose)
        for centre in order.centres
        for _ in range(order.count)
    ]


def _card(store: Store, device: Device, code: str, order: Order, address: str | None) -> Card:
    return Card(
        device=device.id,
        centre=store.centre(device.centre).full_name,
        code=code,
        image=qr_image(code),
        open_image=qr_image(address_with_code(address, code)) if address else "",
        until=(device.created + CODE_LIFE).astimezone(VIETNAM),
        simulated=device.simulated,
        interviewer=order.interviewer,
    )


def page(cards: Sequence[Card], province: object, address: str | None) -> str:
    """The whole page; every text in it is escaped."""
    folder = files("survey_app") / "data" / "device_sheet"
    template = Environment(autoescape=True, trim_blocks=True).from_string(
        (folder / "sheet.html").read_text(encoding="utf-8")
    )
    return template.render(
        style=Markup((folder / "sheet.css").read_text(encoding="utf-8")),  # our own file
        pages=[cards[first : first + CARDS_A_PAGE] for first in range(0, len(cards), CARDS_A_PAGE)],
        province=province,
        address=address,
    )


def qr_image(text: str) -> str:
    """A QR code as a data address for `<img>`; medium correction, as a card is folded and smudged."""
    image: str = segno.make(text, error="m", micro=False).svg_data_uri(border=2, omitsize=True)
    return image


def address_with_code(address: str, code: str) -> str:
    """The set-up page with the code in it, after `#`: a browser sends that part to no server, and no log has it."""
    return f"{address}#{code}"


def page_address(server: str) -> str:
    """The address of the set-up page on a server named by its https address; `SheetError` for any other."""
    remedy = "give it as staff will type it, such as https://sipas.example.vn"
    try:
        parts = urlsplit(server)
        plain = not (parts.query or parts.fragment or parts.username or parts.password) and parts.path in ("", "/")
        good = bool(parts.hostname) and plain and server.isascii() and server.isprintable() and " " not in server
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        _ = parts.port
    except ValueError:
        good, loopback, parts = False, False, urlsplit("")
    if not good or parts.scheme not in ("http", "https"):
        raise SheetError(Problem(f"{server!r} is not the address of a server", "--address", remedy))
    if parts.scheme == "http" and not loopback:
        what = "tablets are set up over https only, save on this machine itself"
        raise SheetError(Problem(what, f"--address {server}", remedy))
    whole = f"{parts.scheme}://{parts.netloc}{ENROL_PATH}"
    if len(whole) > MAX_ADDRESS:
        raise SheetError(Problem(f"the address is longer than {MAX_ADDRESS} characters", "--address", remedy))
    return whole


def _known(store: Store, added: Sequence[tuple[Device, str]]) -> bool:
    """Whether the devices were committed, outside the transaction that added them."""
    known = {device.id for device in store.devices()}
    return bool(added) and all(device.id in known for device, _ in added)


def _is_at(file: Path, ours: os.stat_result) -> bool:
    try:
        return os.path.samestat(file.stat(), ours)
    except OSError:
        return False


def _place(text: str, file: Path, ours: list[os.stat_result]) -> None:
    """Write the file whole beside its place, readable by its owner alone, then put it there if nothing is there yet.

    `ours` takes the mark by which the file is known again.
    """
    descriptor, name = tempfile.mkstemp(prefix=".device-sheet-", dir=file.parent)  # made with 0600
    try:
        ours.append(os.fstat(descriptor))
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        _move(Path(name), file)
    finally:
        with suppress(OSError):
            os.unlink(name)


def _move(part: Path, file: Path) -> None:
    """Give the file its name, which nothing may have yet; a file system without links is asked first."""
    taken = SheetError(Problem("there is a file here already", str(file), "name another one, or delete it first"))
    try:
        os.link(part, file)
    except FileExistsError:
        raise taken from None
    except OSError:
        if file.exists():
            raise taken from None
        os.rename(part, file)
