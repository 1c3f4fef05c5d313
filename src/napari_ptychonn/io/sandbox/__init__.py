"""The process that opens files, and its stand-ins in this one."""
