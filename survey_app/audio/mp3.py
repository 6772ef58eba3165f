"""Whether a file is a sound recording in MP3 (MPEG audio, layer III), and how long it lasts: `read_mp3`, `Sound`."""

from dataclasses import dataclass

_BIT_RATES = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_LAYER_III = 1
_FEWEST_FRAMES = 3


@dataclass(frozen=True)
class Sound:
    """What the frames of a recording say of it."""

    seconds: float
    channels: int
    bit_rate: int
    """Mean over the frames, in bits a second."""


@dataclass(frozen=True)
class _Frame:
    size: int
    seconds: float
    channels: int


def read_mp3(content: bytes) -> Sound | None:
    """The sound in the bytes; None when they are no MP3, or one that is cut off or broken on the way."""
    at = _after_tag(content)
    end = len(content) - (128 if content[-128:-125] == b"TAG" else 0)
    frames = []
    while at < end:
        frame = _frame(content[at : at + 4])
        if frame is None or at + frame.size > end:
            return None
        frames.append(frame)
        at += frame.size
    if len(frames) < _FEWEST_FRAMES:
        return None
    seconds = sum(frame.seconds for frame in frames)
    bits = 8 * sum(frame.size for frame in frames)
    return Sound(round(seconds, 3), max(frame.channels for frame in frames), round(bits / seconds))


def _after_tag(content: bytes) -> int:
    """Past an ID3 tag, whose length is written in four times seven bits."""
    if content[:3] != b"ID3" or len(content) < 10:
        return 0
    a, b, c, d = content[6:10]
    return 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if content[5] & 0x10 else 0)


def _frame(head: bytes) -> _Frame | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer != _LAYER_III or rate == 3 or bits in (0, 15):
        return None
    first = version == 3
    samples = 1152 if first else 576
    hertz = _RATES[version][rate]
    kilobits = _BIT_RATES[1 if first else 2][bits]
    size = samples // 8 * kilobits * 1000 // hertz + (head[2] >> 1 & 1)
    return _Frame(size, samples / hertz, 1 if head[3] >> 6 == 3 else 2)
