"""What a user runs: the `impact` command and what stands behind each of its verbs."""

from .configuration import set_defaults

set_defaults()  # dlt reads its runtime settings when it is first imported: they are set before anything here can do so
