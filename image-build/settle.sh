#!/bin/sh
# In the image's own tree: what the declarations of the overlay mean is carried out once, so that no boot has to.
set -eu
export SYSTEMD_OFFLINE=1
systemd-sysusers
systemctl preset-all
rm -rf /var/lib/apt /var/cache/* /var/log/* /var/backups /var/lib/dpkg/*-old /etc/.pwd.lock /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-
rm -f /etc/ssh/ssh_host_* /var/lib/systemd/random-seed /var/lib/dbus/machine-id
: >/etc/machine-id
passwd --lock root >/dev/null 2>&1
ldconfig
rm -f /var/cache/ldconfig/aux-cache
# Python: its tests, its editor, its documents; udev: the sources of its data base; C's tables of old alphabets (UTF-8 is built in)
rm -rf /usr/lib/python3*/test /usr/lib/python3*/idlelib /usr/lib/python3*/pydoc_data /usr/lib/python3*/turtle*
rm -rf /usr/lib/udev/hwdb.d /usr/lib/x86_64-linux-gnu/gconv
# Microcode: the initial RAM disk has it, and later is too late
rm -rf /usr/lib/firmware/intel-ucode /usr/lib/firmware/amd-ucode
# Python's own library, compiled whatever its files' dates say
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/lib/python3 /usr/lib/python3.*/ >/dev/null || true
# The clock starts no earlier than this system was made
touch -d "@$SOURCE_DATE_EPOCH" /usr/lib/clock-epoch
# Nothing is brought up to date at a start: it is up to date (services with ConditionNeedsUpdate= are masked, too)
/usr/lib/systemd/systemd-update-done
