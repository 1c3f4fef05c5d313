"""The state behind the window, without Qt."""
