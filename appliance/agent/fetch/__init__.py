"""Models from where they are to where they are used: sources in order, resumed, hashed, landed whole, kept by hash."""

from appliance.agent.fetch.fetcher import NO_SOURCE, Fetcher, FetchFailed, Progress
from appliance.agent.fetch.landing import Clock, Stopped
from appliance.agent.fetch.progress import BarProgress, PlainProgress, open_progress
from appliance.agent.fetch.rungs import Rung, rungs
from appliance.agent.fetch.shelf import NoRoom, Shelf
from appliance.agent.fetch.sources import Folder, Source, Web, hub, mirror

__all__ = [
    "NO_SOURCE", "BarProgress", "Clock", "FetchFailed", "Fetcher", "Folder", "NoRoom", "PlainProgress", "Progress", "Rung",
    "Shelf", "Source", "Stopped", "Web", "hub", "mirror", "open_progress", "rungs",
]  # fmt: skip
