"""The modules by themselves, without servers. Folders are named as the packages."""
