"""Names of graphics devices from udev's database, where there is one. Called in a child process."""

from appliance.agent.probe.answers import Names


def ask() -> Names:
    """PCI address -> name for people; none, and why, where libudev or its database is missing."""
    try:
        import pyudev  # type: ignore[import-untyped]  # loads libudev when it is imported

        found = {}
        for device in pyudev.Context().list_devices(subsystem="pci"):
            name = device.properties.get("ID_MODEL_FROM_DATABASE")
            if name and device.properties.get("PCI_CLASS", "").startswith("3"):
                found[device.sys_name] = name
        return Names(names=found)
    except (ImportError, OSError, RuntimeError) as error:
        return Names(problem=str(error))
