"""What most commands import."""

import pipelines.check
import pipelines.cli
import pipelines.show_sync  # noqa: F401
