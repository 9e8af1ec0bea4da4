"""The pictures that models imagine beside those that came."""
