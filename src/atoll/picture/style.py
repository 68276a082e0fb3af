"""The style sheet of pictures: colours are variables, so that a page, or a dark screen, gives others."""

_LIGHT = (
    "--ground:#ffffff;--ink:#16202c;--soft:#5a6675;--line:#c3ccd6;--card:#ffffff;--vpc:#f6f8fb;--zone:#eef2f7;"
    "--public:#e7f5ec;--public-line:#5fae7d;--private:#e8f1fb;--private-line:#6b9fd4;--sky:#f4f1fb;--accent:#2f6fb3;"
    "--good:#1c7c4a;--bad:#c0262d;--bad-ground:#fdebec;--plan:#8a5a00;--cache:#b8402a;--nat:#7a4fb5;--green:#2e7d4f"
)
_DARK = (
    "--ground:#10161d;--ink:#e7edf4;--soft:#a0adbb;--line:#3a4653;--card:#18212b;--vpc:#131b24;--zone:#17202a;"
    "--public:#12291d;--public-line:#3f8a5e;--private:#12243a;--private-line:#40709f;--sky:#1c1930;--accent:#6fb0f2;"
    "--good:#5fce94;--bad:#ff7b80;--bad-ground:#3b171b;--plan:#e7b552;--cache:#f08a73;--nat:#b794f0;--green:#6cc894"
)
_TABLES = ("#3572b0", "#c2762b", "#2e8b57", "#a8458f", "#7d6b1f", "#3a8f9c", "#b0413e", "#6a5acd")

# A page may choose a theme for its visitor: data-theme on its root.
VARIABLES = (
    f".atoll-map{{{_LIGHT}}}\n@media(prefers-color-scheme:dark){{.atoll-map{{{_DARK}}}}}\n"
    f":root[data-theme=light] .atoll-map{{{_LIGHT}}}\n:root[data-theme=dark] .atoll-map{{{_DARK}}}\n"
)
_RULES = """
.atoll-map{font-family:"Noto Sans","Noto Sans CJK KR","Noto Sans CJK SC",system-ui,sans-serif}
.atoll-map .ground{fill:var(--ground)}
.atoll-map text{fill:var(--ink);white-space:pre}
.atoll-map .t-mono{font-family:"DejaVu Sans Mono","Noto Sans Mono","Noto Sans Mono CJK KR",ui-monospace,monospace}
.atoll-map .t-bold{font-weight:600}
.atoll-map .t-soft{fill:var(--soft)}
.atoll-map .t-trouble{fill:var(--bad)}
.atoll-map .box{fill:var(--card);stroke:var(--line);stroke-width:1}
.atoll-map .vpc>.box{fill:var(--vpc);stroke:var(--accent);stroke-width:1.5}
.atoll-map .zone>.box{fill:var(--zone);stroke:var(--line);stroke-dasharray:5 4}
.atoll-map .internet>.box{fill:var(--sky)}
.atoll-map .subnet.public>.box{fill:var(--public);stroke:var(--public-line)}
.atoll-map .subnet.private>.box{fill:var(--private);stroke:var(--private-line)}
.atoll-map .subnet.public>.icon{stroke:var(--public-line)}
.atoll-map .subnet.private>.icon{stroke:var(--private-line)}
.atoll-map .down>.box{stroke-dasharray:3 3;opacity:.75}
.atoll-map .planned>.box{stroke:var(--plan);stroke-width:2;stroke-dasharray:6 4}
.atoll-map .more>.box{fill:none;stroke-dasharray:2 3}
.atoll-map .icon{fill:none;stroke:var(--accent);stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
.atoll-map .cache>.icon{stroke:var(--cache)}
.atoll-map .nat>.icon,.atoll-map .nat-instance>.icon{stroke:var(--nat)}
.atoll-map .instance>.icon{stroke:var(--green)}
.atoll-map .badge>.box{stroke:none;fill:var(--cache)}
.atoll-map .badge.replica>.box{fill:none;stroke:var(--cache);stroke-width:1.5}
.atoll-map .badge.primary text{fill:var(--card)}
.atoll-map .badge.replica text{fill:var(--cache)}
.atoll-map .mark>.box{stroke:none}
.atoll-map .wire path{fill:none;stroke:var(--good);stroke-width:2}
.atoll-map .wire .under{stroke:var(--ground);stroke-width:5;opacity:.8}
.atoll-map .wire.blocked path:not(.under){stroke:var(--bad);stroke-dasharray:6 4}
.atoll-map .wire.stub path{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:none}
.atoll-map .arrow{fill:var(--good)}
.atoll-map .stop circle{fill:var(--bad)}
.atoll-map .stop path{fill:none;stroke:var(--card);stroke-width:2.2;stroke-linecap:round}
.atoll-map .pill>.box{stroke:var(--good)}
.atoll-map .pill text{fill:var(--good)}
.atoll-map .pill.blocked>.box{fill:var(--bad-ground);stroke:var(--bad)}
.atoll-map .pill.blocked text{fill:var(--bad)}
.atoll-map [data-target]{cursor:pointer}
.atoll-map .step>.box{stroke:var(--good);stroke-width:1.5}
.atoll-map .step.refused>.box{stroke:var(--bad);stroke-width:2.5;fill:var(--bad-ground)}
.atoll-map .step.passed>.box{stroke:var(--line);opacity:.6}
.atoll-map .step>.icon{stroke:var(--good)}
.atoll-map .step.refused>.icon{stroke:var(--bad);stroke-width:2.4}
"""
STYLE = (
    VARIABLES
    + _RULES.lstrip()
    + "".join(f".atoll-map .mark.table-{n}>.box{{fill:{color}}}\n" for n, color in enumerate(_TABLES))
)
