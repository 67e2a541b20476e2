"""Starts localstripe on one loopback port, with nothing kept from earlier runs. Runs under localstripe's own Python.

Its own command line would listen on every address of the machine and read what an earlier run left in /tmp.
"""

import sys

from aiohttp import web  # type: ignore[import-not-found]
from localstripe.resources import store  # type: ignore[import-not-found]
from localstripe.server import app  # type: ignore[import-not-found]

store.dump_to_disk = lambda: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
