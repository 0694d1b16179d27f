"""The same job by other engines, on the same broker in one run, with W2's generator and oracle.

Reading order: `job` (what each peer is told, the decision all make), the peers themselves (`plain`, `quix`,
`bytewax_flow`, `faust_table`, `kafka_streams/`), `catalogue` (which there are), `install` (where they run), `watch` and
`figures` (measured from outside), `bench` (one run), `table` (what is printed and written). The peers run in an
environment without Sluice, so nothing is imported here.
"""
