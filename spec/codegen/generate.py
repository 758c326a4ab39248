"""The only writer of generated files: `generate.py` writes them, `generate.py --check` says which are out of date.

The check renders everything into memory and compares it byte for byte with what is committed.
"""

import json
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec" / "openapi.yaml"


def server_spec() -> bytes:
    """The contract as the server loads it: JSON, because reading YAML would take a good part of its start."""
    spec = yaml.load(SPEC.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return (json.dumps(spec, indent=1, ensure_ascii=False) + "\n").encode()


OUTPUTS = {"server/src/tracklane_server/contract/openapi.json": server_spec}


def main(check: bool) -> int:
    stale = []
    for name, render in OUTPUTS.items():
        path, fresh = ROOT / name, render()
        if path.exists() and path.read_bytes() == fresh:
            continue
        stale.append(name)
        if not check:
            path.write_bytes(fresh)
    for name in stale:
        print(f"{'out of date, run make generate' if check else 'written'}: {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
