"""Getting an answer that can be given: why one stopped, what is done about it, within what was planned.

`causes` and `policy` decide, `planning` counts what that may cost, `changes` makes the next attempt of the last one;
`gateway.stages.finish` runs them. Knows no HTTP and no budget.
"""
