"""What a user runs: the `impact` command and what stands behind each of its verbs."""
