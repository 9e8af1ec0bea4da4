"""What was tried once to learn something: not installed, and imported by nothing; `python -m studies` lists them."""
