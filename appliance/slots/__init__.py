"""The two slots of the system on the stick: which one runs, and whether a new one is kept."""
