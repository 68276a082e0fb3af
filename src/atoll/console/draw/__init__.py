"""Pictures as SVG by our own arithmetic: values in, text out; no page, no call and no clock."""
