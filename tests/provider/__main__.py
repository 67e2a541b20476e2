import os
import sys

from tests.provider.live_check import main

sys.exit(main(sys.argv[1:], os.environ))
