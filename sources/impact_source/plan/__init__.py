"""Pure planning: which windows of time to read, how to split them, and where cursors stand afterwards."""
