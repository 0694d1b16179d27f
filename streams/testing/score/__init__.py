"""The scoring simulator: the real courier, a modelled API and a clock that jumps. `make score` runs every scenario."""
