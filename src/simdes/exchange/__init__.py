"""The paper's stories as verbs; every face speaks to these and to nothing below.

- `node`: one organisation's parts, put together by `app`
- `signin`, `membership`, `members`, `enrolment`: who is who
- `intake`, `bundle`, `submit`, `anchoring`, `worker`: source bytes become anchored records
- `checking`, `patients`, `placing`, `precedence`, `storing`, `merging`, `provenance`: how `submit`
  decides and writes
- `legacy`: any format in, FHIR out, for a face
- `consents`, `retrieve`, `opening`: the patient decides, the reader reads
- `following`: keeping up with the chain
- `remote_reading`, `comparing`: the evidence of an opening elsewhere, and of what lists leave out
- `logbook`, `verification`: who looked, and the proof of it
- `reconciling`, `own_trail`, `findings`: audit trails held against each other, and what was found
- `custody`: what the organisation answers to others
"""
