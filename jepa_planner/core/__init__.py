"""What every part speaks of: arm states, poses, contexts, pictures, settings, and the files that ship."""
