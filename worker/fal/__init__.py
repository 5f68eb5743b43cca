"""Everything that falhook sends to fal and reads from it."""
