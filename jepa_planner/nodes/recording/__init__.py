"""What `record_node` does with messages: chosen, counted, queued, written into bags, marked as episodes."""
