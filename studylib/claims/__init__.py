"""The paper's claims as data (`evidence/claims.csv`), the arithmetic that decides some, the rules that decide others.

`verdicts.decide` gives the verdict of a plan's recorded runs on a claim. Imports stats, runs and what is below them.
"""
