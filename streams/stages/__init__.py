"""One stage a module; stages do not know each other."""
