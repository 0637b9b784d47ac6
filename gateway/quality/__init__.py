"""How good the answers are, by what made them: prompt version, engine, model, day.

`words` says what was found of one answer, when its record is made; `rates` and `lengths` are the statistics; `report`
makes a table of what the journal counted; `worse` judges a candidate version against its base while both run. Knows no
HTTP, no SQL and no terminal.
"""
