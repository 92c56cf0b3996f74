"""`iamine` with a release key of the test's own: python signed.py PUBLIC-KEY-HEX COMMAND ...; all else is as it ships."""

import sys

from iamine import cli, release

key, *arguments = sys.argv[1:]
for function in (release.holds, release.opened, release.current, release.keep):
    (function.__kwdefaults__ or {}).update({"keys": (key,)})
release.holds.__defaults__ = ((key,),)
sys.exit(cli.main(arguments))
