"""Print the lower bound of every dependency in pyproject.toml as a pip constraint."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
for requirement in [
    *project["dependencies"],
    *(one for name, extra in extras.items() if name != "gpu" for one in extra),
]:
    match = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement)
    if match:
        print(f"{match[1]}=={match[2]}")
