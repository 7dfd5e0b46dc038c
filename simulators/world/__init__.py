"""A small physical world: a storm, its rain, the sea, a river, a pipeline, gas and air, at a coast of stations.

Simple on purpose, each part with its source. Everything follows from the scenario and its seed: signals are computed
once for the whole scenario on a one-minute grid, so the answer to a question never depends on who asked before.
"""
