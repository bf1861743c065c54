"""Files that run `impact` on a schedule: copy what fits."""
