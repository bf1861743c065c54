"""What most commands import."""

import impact_sync.check
import impact_sync.cli
import impact_sync.sync.command  # noqa: F401
