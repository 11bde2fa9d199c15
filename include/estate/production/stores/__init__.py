"""One module per system: each brings it to what the world says, whatever it held before."""
