"""W3's parts: two shops as processes, the writes to be delivered, who delivers them, and the figures."""
