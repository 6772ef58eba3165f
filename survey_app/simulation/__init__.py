"""Simulated citizens, kiosks and interviewers that visit the real server, for trying the chain where the truth is known.

Door: `prepare` draws a wave and writes its truth and its register or margins, `field_wave` sends it; `write_frame` makes
the villages of a sample wave; `Device.sync` with its `Outbox` is how one device keeps and resends; `Options`,
`Simulation`, `Tally`, `SimulationError`.
"""

from survey_app.simulation.citizens import SimulationError
from survey_app.simulation.devices import Tally
from survey_app.simulation.outbox import Device, Outbox, Said
from survey_app.simulation.run import Options, Simulation, field_wave, prepare
from survey_app.simulation.sample import write_frame

__all__ = [
    "Device",
    "Options",
    "Outbox",
    "Said",
    "Simulation",
    "SimulationError",
    "Tally",
    "field_wave",
    "prepare",
    "write_frame",
]
