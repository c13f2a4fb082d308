"""Experiments about networks: what they remember, and why."""

from longshort.study.gradients import GradientConfig, GradientStudy, study_gradients

__all__ = ["GradientConfig", "GradientStudy", "study_gradients"]
