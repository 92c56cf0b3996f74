"""Builds the appliance's disk image in cached stages; `python -m imagebuild --help`. Needs the standard library only."""
