"""What a user runs: the `impact` command and what stands behind each of its verbs."""

import os

# dlt reads its runtime settings when it is first imported: they are set before anything here can do so.
# What makes a load package a checkpoint, and keeps a working folder and a staging dataset from growing.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("LOAD__DELETE_COMPLETED_JOBS", "true")
os.environ.setdefault("LOAD__TRUNCATE_STAGING_DATASET", "true")
os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
# Each page is written before the next is taken; else a whole load package would stand in memory.
os.environ.setdefault("EXTRACT__NEXT_ITEM_MODE", "fifo")
# Interrupts are ours: dlt would finish its step first and, late in a load, forget them.
os.environ.setdefault("RUNTIME__INTERCEPT_SIGNALS", "false")
