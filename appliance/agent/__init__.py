"""The agent: probes a machine, runs a model, serves jobs over one outgoing link."""
