"""What became of an event of a labelled stream."""

PREDICTED, JOINED, TOO_LATE, UNKNOWN, REFUSED = range(5)
"""Features were answered; a label that came alone was joined, came too late, or belongs to nothing that waits; an event
was refused, because its class is one too many.
"""
