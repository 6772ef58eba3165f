"""Simulated citizens and kiosks that visit the real server, for trying the whole chain where the truth is known.

Door: `prepare` draws a wave and writes its truth and register, `field_wave` sends it; `Options`, `Simulation`, `Tally`,
`SimulationError`.
"""

from survey_app.simulation.citizens import SimulationError
from survey_app.simulation.devices import Tally
from survey_app.simulation.run import Options, Simulation, field_wave, prepare

__all__ = ["Options", "Simulation", "SimulationError", "Tally", "field_wave", "prepare"]
