"""What `make ops` runs."""

import sys

from operate.commands import keep_the_log_out, main

keep_the_log_out()
sys.exit(main())
