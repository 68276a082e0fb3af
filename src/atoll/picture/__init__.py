"""The map of a VPC, drawn by our own arithmetic: a World becomes a scene, a scene a picture, a picture SVG.

    scene = read(world, "vpc-1")              # what is there, without any geometry
    text = svg(draw(scene))                   # boxes and lines, then text

Reads no clock and asks nobody: what passes and what is refused is given to it (`Flow`).
"""
