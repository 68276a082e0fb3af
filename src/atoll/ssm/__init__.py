"""Systems Manager: only the public parameters that name machine images, which AWS's own instructions begin with."""
