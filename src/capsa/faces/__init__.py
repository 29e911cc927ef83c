"""The faces of capsa: what people and programs touch."""
