"""What a user runs: the `impact` command and the code behind each of its verbs."""

from .configuration import set_defaults

set_defaults()  # dlt reads its runtime settings at its first import: set them before anything here imports it
