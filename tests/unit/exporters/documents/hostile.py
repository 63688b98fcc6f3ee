"""Model output that tries to attack the reader of a document."""

from __future__ import annotations

from typing import Final

HOSTILE: Final = {
    "script": "<script>alert(1)</script>\n\n<img src=x onerror=alert(1)> <svg onload=alert(1)>",
    "attribute": "a \"><script>alert(1)</script> ' onmouseover=alert(1)",
    "links": "[x](javascript:alert(1)) [d](data:text/html,x) [f](file:///etc/passwd) [r](//e.x) "
    '<javascript:alert(1)> [up](../../etc/passwd) [q](https://e.x/"onclick=alert(1))',
    "pictures": "![p](https://evil.example/p.png) ![d](data:image/png;base64,AA) ![r](x.png)",
    "typst": '#import "@preview/x:1.0.0"\n#read("/etc/passwd") #eval("1+1") $ x^2 $ @nowhere '
    '<label> \\ #"x" */ /* // #sys.inputs\n\n```typst\n#read("/etc/passwd")\n```\n\n= Heading',
    "ansi": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x00\x08\x85 bell\x07 \x9b31m",
    "directions": "\u202eevil\u202c \u2066isolated\u2069 &#x202e;entity",
    "not text": "\ud800 \uffff \ufffe \U0001f41d \u2028 \u0000",
    "definition": "[1]: https://evil.example 'x'\n\nSee [1].",
    "front": "---\ntitle: x\n---\n\n+++\n\n{{ config }} {% raw %} {{7*7}}",
    "fences": "````\n```\n~~~~~~\n````\n\n`` ` `` and ``` `` ```",
    "nested": "> " * 60 + "deep\n\n" + "\n".join("  " * n + "- x" for n in range(60)),
    "table": "| a | b |\n|---|---|\n| `x|y` | <b> \\| |\n| "
    + "z" * 400
    + " | [l](https://e.x/|) |",
    "word": "x" * 60_000,
    "headings": "# h\n" * 300,
    "field": "{ HYPERLINK \"javascript:x\" } =cmd|' /C calc'!A0",
    "empty": "\n\n \n",
    "right to left": "\u05e9\u05dc\u05d5\u05dd, \u05e2\u05d5\u05dc\u05dd.\n\n\u4f60\u597d\uff0c"
    "\u4e16\u754c\u3002",
}
