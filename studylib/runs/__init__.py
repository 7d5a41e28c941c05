"""Many runs: plans, what they cost, and the recorded results as tables.

`plan` reads `runs/*.yaml`; `results.table` gives a row a run, and its command takes over what ran elsewhere; `cost`
estimates. Imports training and what is below it.
"""
