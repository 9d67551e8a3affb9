"""Tests, intervals and predictions: functions of a result; its methods only call them."""
