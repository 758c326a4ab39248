"""What each operation does: one plain function for each operationId, state rules included.

Functions take a `Backend` and the decoded request, know interfaces only, and raise `TrackingError`s.
"""
