"""Reports of studies, a file each."""
