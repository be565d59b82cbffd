"""The library: everything that decides. A room of `functions/` parses, calls it once, and answers.

From the top down; a part imports only from the lines below its own. `make lint` holds that, and
docs/architecture.md says where a change of what is made.

wiring         from a room's settings to the parts that it is made of
api            what each call of the HTTP API takes, does and answers
files          the bucket: names, playlists, the verdict, the manifest, playback, publishing
life           a recording's rows and its execution, and what moves them on
recording      what a recording is and how it may change: plain values in, plain values out
request        what a caller may ask for: types, rules, every problem of a request at once
agora          Agora's REST API: its bodies and answers, what they mean, the client and its pace
notifications  Agora's webhook: whose body it is, what it says, where it is kept
firewall       Agora's addresses: which are believed, and the places that let them in
aws            clients, rows, leases, secrets, sealed values, signed addresses
observability  the logger and the metrics of the rooms
settings       the environment of a room, read by name
refusals       what each error is by HTTP
emf            a line of metrics, without Powertools
clock          instants
errors         the vocabulary of failure
foreign        reading JSON that Agora wrote, whatever it lacks or adds
"""

import gc

# Imports make a hundred thousand objects that are never freed. With the interpreter's threshold
# (700), the garbage collector checks them hundreds of times: about 15 ms of each cold start.
gc.set_threshold(50_000, 10, 10)
