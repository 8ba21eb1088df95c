"""The plots of the named worlds; `streams.simulator.scenarios` lists them."""
