"""Digital twins: what the AWS CLI described of a real account becomes a World here.  Pure; it asks AWS nothing."""
