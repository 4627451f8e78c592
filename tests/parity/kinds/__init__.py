"""One module for each kind of case: `observe(world, group)` gives {case: value or exception}."""
