"""The README's Python runs, block after block, and prints what the README says it prints."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(?P<kind>python|text)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def steady(text):
    """Text without what differs from run to run: dates, times, seconds, trailing blanks."""
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4}|\d\d:\d\d:\d\d|\d+(\.\d+)? ?m?s\b", "#", text)
    return [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]


def test_readme_blocks_run_and_print_what_they_show(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = README.read_text()
    namespace = {"__name__": "readme"}
    ran = shown = 0
    printed = ""
    for block in BLOCK.finditer(source):
        if block["kind"] == "python":
            # Blank lines before the code make a traceback point at the README's own line.
            above = "\n" * source.count("\n", 0, block.start("body"))
            exec(compile(above + block["body"], str(README), "exec"), namespace)
            printed = capsys.readouterr().out
            ran += 1
        else:
            assert steady(printed) == steady(block["body"])
            shown += 1
    assert ran and shown
