"""What latents know of tcp, gripper and object; imagined latents beside copying."""
