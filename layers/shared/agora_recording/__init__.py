"""The library of the rooms.

A room is a Lambda function (`functions/<room>/app.py`): it parses what comes in, makes one call
into the library, and answers.

From the top down; a part imports only from the lines below its own (`make lint` checks this).
docs/architecture.md says for each kind of change which part to edit.

wiring         makes the parts of a room from its settings
auto_record    recordings that start by themselves: rules, who is in a channel, what follows
api            what each call of the HTTP API takes, does and answers
files          the bucket: names, playlists, the verdict, the manifest, playback, publishing
life           a recording's rows and its execution, and the steps of its life
recording      what a recording is and how it may change: plain values in, plain values out
request        what a caller may ask for: types, rules, every problem of a request at once
agora          Agora's REST API: its bodies and answers, what they mean, the client and its pace
notifications  Agora's webhook: who signed a body, what it says, where it is stored
firewall       Agora's addresses: which to trust, and the firewalls that let them in
callbacks      calls to the app: what they say, where they may go, how they are sent
aws            clients, rows, leases, secrets, sealed values, signed addresses
observability  the logger and the metrics of the rooms
settings       the environment of a room, read by name
refusals       the HTTP status of each error
emf            a line of metrics, without Powertools
clock          the present, and instants as text
errors         all errors of the library
hiding         decides what may be secret, and hides it
foreign        reads Agora's JSON, also with missing or unknown fields
"""

import gc

# Imports make some 65,000 objects that are never freed. With the interpreter's threshold (700), the
# garbage collector checks them hundreds of times: about 15 ms of each cold start. With a threshold
# that they pass (50,000), it checks all of them once, in the middle of the start: 13 ms.
gc.set_threshold(100_000, 10, 10)
