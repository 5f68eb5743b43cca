"""falhook stats: the state of the whole system, once or live."""
