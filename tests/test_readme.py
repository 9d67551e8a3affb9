"""What people read and run first is true: the README's Python prints what it shows, the demo's suggestions work."""

import re
from pathlib import Path

from torchmle import demo

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(?P<kind>python|text)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def steady(text):
    """Lines of a text without what differs from run to run (date and time) and blanks at their ends."""
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4}|\d\d:\d\d:\d\d", "#", text.strip("\n"))
    return [line.rstrip() for line in text.splitlines()]


def test_readme_blocks_run_and_print_what_they_show(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = README.read_text(encoding="utf-8")
    namespace = {"__name__": "readme"}
    kinds = []
    printed = ""
    for block in BLOCK.finditer(source):
        kinds.append(block["kind"])
        if block["kind"] == "python":
            # Blank lines before the code make a traceback point at the README's own line.
            above = "\n" * source.count("\n", 0, block.start("body"))
            exec(compile(above + block["body"], str(README), "exec"), namespace)
            printed = capsys.readouterr().out
        else:
            assert steady(printed) == steady(block["body"])
    assert {"python", "text"} <= set(kinds)


def test_demo_prints_a_summary_with_robust_errors_and_its_suggestions_run(capsys):
    demo.main()
    printed = capsys.readouterr().out
    assert "Poisson Regression Results" in printed
    assert "heteroscedasticity robust (HC1)" in printed
    code = demo.NEXT.split("\n\n")[1]
    assert code.startswith("import torchmle as tm")
    exec(code, {})
