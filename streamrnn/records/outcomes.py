"""What became of an event of a labelled stream."""

PREDICTED, JOINED, TOO_LATE, UNKNOWN, REFUSED, OVER_SHARE = range(6)
"""Features were answered; a label that came alone was joined, came too late, or belongs to nothing that waits; an event
was refused, because its class is one too many for the partition, or for its key. What is refused is `>= REFUSED`.
"""
