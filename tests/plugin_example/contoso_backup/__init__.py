"""An example of a package that adds one plug-in of each group."""
