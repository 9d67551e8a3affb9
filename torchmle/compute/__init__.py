"""How and where numbers are computed: threads, processes, devices, derivatives."""
