"""Objectives trained by Lightning: recipes, steps, schedules, checkpoints, logs."""
