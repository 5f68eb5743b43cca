"""Redis as every process reaches it: its address, its connections, what its errors mean."""
