"""The stick as a disk: which one it is, its fixed ids, GRUB's environment, files that are whole or not there."""
