"""X12 health care transactions (https://x12.org) to FHIR R4, and back where SIMDES answers.

`reader` takes interchanges apart, `units` gives each patient a transaction of their own, `loops`
makes the tree that the sheets map, `transactions` runs them. `write` and its siblings write 835,
271 and 277 of the resources that say the same.
"""
