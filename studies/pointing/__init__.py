"""Is what was pointed at found, and are goal pictures that were composed of clicks as good as true ones?"""
