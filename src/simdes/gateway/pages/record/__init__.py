"""A patient's record as people read it: the same for the patient and for whoever they let in.

`reading` is the page for everybody who may see one; `loading` asks `interactions` with the caller's
own rights; `files` are saved
from it; everything else is pure: `saying` turns FHIR values into words, `kinds` says what is shown
of each resource type, `results` groups measurements, `charts` draws them, `timeline` puts all in
order.
"""
