"""Parts for metaqnn that are not its own."""
