"""Image sharing between cloud tenants: a producer offers, a consumer accepts or rejects, both watch.

    web -> api -> sharing -> store        a request
    store -> events -> api                the news of it

The rooms, and what each of them answers:

    main.py      which parts there are, and how they are put together
    web/         over which transport; in its rooms: callers/ who asks, limits/ how much, documents/ named by hash,
                 websockets/, monitoring/ for operators, browser/ the pages
    api/         what the GraphQL words mean; it translates and decides nothing
    sharing/     may they, and what then changes: service.py acts, rules.py decides, news.py says who is told
    store/       where rows live; the only room that speaks SQL, the only one that commits
    events/      the committed log, followed by watchers
    model.py     the nouns             errors.py  the refusals          settings/  the knobs
    client.py    a watch from Python   cli.py, serving.py, workers.py   the command and its processes
    care/        the commands of those who operate it: doctor, backup, a tenant that leaves

How `offerImage` travels, file by file:

     1  web/lane.py          POST /graphql arrives; what is not plain goes on to web/endpoint.py
     2  web/callers/         the bearer token becomes a Caller (identity.py, tokens.py)
     3  api/mutations.py     unpacks the input, calls one action
     4  sharing/service.py   looks, decides, writes and records, in one transaction
     5  sharing/rules.py     may this caller? the new members, or a refusal for each tenant ID
     6  store/members.py     the rows
     7  store/log.py         the events that tell of them, numbered as they commit
     8  store/writer.py      the commit, and then the hint: "look now" (PostgreSQL: store/database.py)
     9  events/feed.py       the tailer reads what is new and wakes the watchers
    10  api/watching.py      the consumer's `watchOffers` yields a MemberStatusChanged
    11  api/streams.py       which is made once for all who ask the same, and sent

A query has a shorter way: api/plan/planner.py turns it into a tree, store/plan/statement.py that into one statement
which writes the answer itself. Payloads of mutations and watches are at hand, and api/plan/rendering.py writes them.
What they can't take goes the long way, field by field.

A refusal in step 4 or 5 leaves no row and no event; api/refusals.py says it in the payload.
A request carries one consistent view of the store: store/snapshot.py.
"""
