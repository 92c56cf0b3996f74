"""What comes and goes while the worker works: graphics devices by udev or the kernel, disks by what is mounted."""

from appliance.agent.hotplug.changes import Change, Changes, settled
from appliance.agent.hotplug.disks import Folders, model_folders
from appliance.agent.hotplug.listening import listen

__all__ = ["Change", "Changes", "Folders", "listen", "model_folders", "settled"]
