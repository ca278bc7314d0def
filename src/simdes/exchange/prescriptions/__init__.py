"""Prescriptions, from the doctor's order to the counter (paper Fig. 4; docs/prescriptions.md).

`stating` and `issuing` are the issuer's side, `submitting` the patient's, `dispensing` the
pharmacy's; `states` is the one table of what may happen when.
"""
