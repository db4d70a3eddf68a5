"""Hypotheses and references to figures, pictures and reports.

error_rates.py   word and character errors, their rates with intervals, and the comparison of two systems
evaluate.py      the result of one system on one test set, saved and loaded
plots.py         training curves, attention and units as PNG pictures
report.py        building blocks of a report, and the self-contained HTML page made of them
demo_report.py   the report of a demo run: what was trained, what came out, and what that does and does not show
"""
