"""The orchestrator's file, run by the orchestrator: `make orchestrator` sets it up."""
