"""The machine and the versions, in one line."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path

import torch

PACKAGES = ("torch", "numpy", "scipy", "pandas", "patsy", "statsmodels", "pytorch-minimize")


def processor() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text())
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def accelerator(device: str) -> str:
    """Name of the CUDA device, if one is used."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else ""


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def hardware_line(device: str) -> str:
    """Processor, cores, threads, device and versions."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    parts = [processor(), f"{cores()} cores", f"{torch.get_num_threads()} torch threads"]
    parts += [f"device {accelerator(device) or 'cpu'}", f"Python {platform.python_version()}", versions]
    return "; ".join(parts)


def file_name(device: str) -> str:
    """A name for this machine's results."""
    words = f"{accelerator(device)} {processor()} {cores()} cores".lower()
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", words)).strip("-")
