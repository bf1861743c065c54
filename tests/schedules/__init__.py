"""The files that run `impact` on a schedule."""
