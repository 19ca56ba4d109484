"""analysis -> store <- app: the server starts without the worker's libraries, and fast."""

from __future__ import annotations

import subprocess
import sys

from tests.root import ROOT

FORBIDDEN = ("torch", "transformers", "sae_lens", "numpy", "analysis", "plotly", "alembic")


def test_the_server_imports_nothing_of_the_worker() -> None:
    code = f"import sys, app.main, app.commands.serve; print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert found.stderr == ""


def test_no_file_of_the_server_names_the_worker() -> None:
    files = [*(ROOT / "app").rglob("*.py"), *(ROOT / "store").rglob("*.py")]
    lines = [
        line
        for file in files
        for line in file.read_text().splitlines()
        if line.lstrip().startswith(("import ", "from "))
    ]
    assert files
    assert [line for line in lines if line.split()[1].split(".")[0] in FORBIDDEN] == []
