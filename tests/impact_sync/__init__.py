"""The `impact` command and the code behind each of its verbs."""
