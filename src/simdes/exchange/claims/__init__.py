"""Insurance claims, from the encounter to the refund (paper Fig. 5; docs/claims.md).

The provider's software opens (`stating`, `opening`), its billing desk follows (`billing_desk`); the
patient says what is seen (`disclosing`); the insurer lists and looks (`cases`), decides
(`deciding`) and pays (`paying`). `steps` writes down what is sent and finds out what became of it.
`trying` reckons with files, without any of it.
"""
