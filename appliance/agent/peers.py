"""Machines on the local network that share their models; what they serve is checked by its hash, so they need no trust."""

import socket
from collections.abc import Callable

from appliance.agent.discovery import NoMulticast, browse
from iamine.lan.record import MODELS_TYPE, Place, models_place

LOOK_S, SETTLE_S, REACH_S = 3.0, 1.0, 1.0
MOST = 8


def peers(say: Callable[[str], None]) -> tuple[str, ...]:
    """Addresses of their servers, at most MOST of those that answer; it is said where they are."""
    try:
        seen = browse(MODELS_TYPE, look_s=LOOK_S, settle_s=SETTLE_S)
    except NoMulticast as error:
        say(f"no neighbours are asked for models: {error.message}")
        return ()
    places = [place for each in seen if (place := models_place(each.place, each.text)) is not None]
    found = {place.name: address for place in places if (address := _address(place))}
    for name, address in found.items():
        say(f"{name!r} shares models at {address}")
    return tuple(found.values())[:MOST]


def _address(place: Place) -> str:
    """The first of its addresses that answers, "" for none."""
    for host in place.addresses:
        try:
            socket.create_connection((host, place.port), REACH_S).close()
        except OSError:
            continue
        return f"http://{host}:{place.port}"
    return ""
