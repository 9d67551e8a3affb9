"""What every docstring example may use without importing it."""

import numpy as np
import pandas as pd
import pytest
import torch

import torchmle as tm


@pytest.fixture(autouse=True)
def names_of_examples(doctest_namespace):
    doctest_namespace.update(tm=tm, torch=torch, np=np, pd=pd)
