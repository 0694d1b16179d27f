"""What REST APIs have in common, so that a vendor is one declaration and pure functions of its records.

api           base path, credential, idempotency header; requests and replies
conditions    revisions of records, so that a write meets the one it was decided on
outcomes      what status and error code mean, as one table
paging        by cursor or by page
poller        feeds: lists that tell what changed since
webhooks      signed deliveries
mapping       which reader takes which topic; `payload` reads fields
destination   which flow carries out which write
settings      what every account can set
"""
