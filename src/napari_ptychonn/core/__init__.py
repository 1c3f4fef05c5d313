"""The Qt-free core: what a scan is, how PtychoNN learns from it, how mosaics are made."""
