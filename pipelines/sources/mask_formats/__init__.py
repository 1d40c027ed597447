"""How masks are stored: what a file's pixels mean is found out, and they are turned into class ids."""
