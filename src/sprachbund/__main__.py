"""``python -m sprachbund`` is the command `sprachbund`."""

from sprachbund.cli.main import main

main()
