"""Columns of data as they are given: values, levels, what is missing, arguments beside the formula."""
