"""State that survives: what was read, what was decided, what must still be brought about.

`database` opens it, `facts` mirrors the CRM, `escalations` holds decisions, `outbox` the effects, `progress` cursors
and marks, `guard` the lease and the brakes' memory. Every function takes the transaction that it shall be part of.
"""
