"""Reading aloud: packs of recorded sentences, the sentences to be recorded, and which recording speaks which sentence.

`sentences`, `option_prompt`, `Sentence`; `load_pack`, `known_packs`, `Pack`, `Recording`, `AudioError`; `audio_of`, `recording_file`.
How packs are made: docs/audio.md.
"""

from survey_app.audio.offering import audio_of, recording_file
from survey_app.audio.packs import AudioError, Pack, Recording, known_packs, load_pack
from survey_app.audio.sentences import Sentence, option_prompt, sentences, text_hash

__all__ = [
    "AudioError",
    "Pack",
    "Recording",
    "Sentence",
    "audio_of",
    "known_packs",
    "load_pack",
    "option_prompt",
    "recording_file",
    "sentences",
    "text_hash",
]
