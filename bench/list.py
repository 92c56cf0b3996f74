"""What can be measured: each script's first line. `just bench all` makes the figures of docs/performance.md again."""

import ast
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    for path in sorted(HERE.glob("*.py")):
        about = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
        print(f"just bench {path.stem:<14} {about[0] if about else ''}")


if __name__ == "__main__":
    main()
