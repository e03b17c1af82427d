"""The rule pack: every YAML file of this folder. A pack needs no code."""
