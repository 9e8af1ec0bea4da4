"""What a verdict calls done, by how far the object is off."""
