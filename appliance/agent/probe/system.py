"""What surrounds the hardware: the system's name, a hypervisor, a container, a battery."""

from pathlib import Path

from appliance.agent.machine import Battery
from appliance.agent.probe.files import fields, number, read
from appliance.agent.probe.portable import Portable

# DMI sys_vendor and product_name (in lower case) of machines that are not made of metal
_HYPERVISORS = (
    ("qemu", "KVM"), ("kvm", "KVM"), ("vmware", "VMware"), ("innotek", "VirtualBox"), ("virtualbox", "VirtualBox"),
    ("microsoft corporation virtual", "Hyper-V"), ("xen", "Xen"), ("amazon ec2", "Amazon EC2"), ("google compute", "Google"),
    ("openstack", "OpenStack"), ("parallels", "Parallels"), ("bochs", "QEMU"),
)  # fmt: skip
_CONTAINERS = (("docker", "Docker"), ("kubepods", "Kubernetes"), ("lxc", "LXC"), ("libpod", "Podman"))


def os_name(root: Path, known: Portable) -> str:
    """The system's name for people, with kernel and architecture."""
    pretty = fields(root / "etc/os-release", "=").get("PRETTY_NAME", "").strip('"') or known.system
    return f"{pretty} ({known.system} {known.release} {known.architecture})"


def virtual(root: Path) -> str:
    """The hypervisor below this system; "" on metal."""
    if "microsoft" in (read(root / "proc/version") or "").lower():
        return "WSL"
    told = " ".join(read(root / "sys/class/dmi/id" / name) or "" for name in ("sys_vendor", "product_name")).lower()
    for word, name in _HYPERVISORS:
        if word in told:
            return name
    if read(root / "sys/hypervisor/type"):
        return (read(root / "sys/hypervisor/type") or "").capitalize()
    return "unknown hypervisor" if "hypervisor" in fields(root / "proc/cpuinfo").get("flags", "").split() else ""


def container(root: Path) -> str:
    """The kind of container around this process; "" for none."""
    named = read(root / "run/systemd/container")
    if named:
        return named
    if (root / ".dockerenv").exists():
        return "Docker"
    if (root / "run/.containerenv").exists():
        return "Podman"
    place = read(root / "proc/self/cgroup") or ""
    return next((name for word, name in _CONTAINERS if word in place), "")


def battery(root: Path, known: Portable) -> Battery | None:
    """The machine's own battery (not a mouse's); None without one."""
    supplies = sorted((root / "sys/class/power_supply").glob("*"))
    if not supplies:
        return known.battery
    own = [each for each in supplies if read(each / "type") == "Battery" and read(each / "scope") != "Device"]
    if not own:
        return None
    online = [
        found for each in supplies if read(each / "type") in {"Mains", "USB"} and (found := number(each / "online")) is not None
    ]
    percent = number(own[0] / "capacity")
    plugged = any(online) if online else (read(own[0] / "status") or "Unknown") != "Discharging"
    return Battery(percent=None if percent is None else float(percent), plugged=plugged)
