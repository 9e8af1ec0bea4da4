"""Where the arm's commands go: a file for each kind of output, and `choice.py`, which makes what is asked for."""
