"""A model kept at hand beside a server, for texts that readers type: `python -m analysis.live`."""
