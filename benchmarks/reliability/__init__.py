"""What the kiosks' server promises, measured: how fast, and that nothing is lost, doubled or told too early.

    python -m benchmarks.reliability [R1 R2 …] [--short] [--write]

One module a test; each has a short form that runs with the tests. `--write` puts the figures into
docs/benchmarks.md, those of the tests that ran beside those that ran before.
"""
