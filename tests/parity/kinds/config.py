"""Whole configurations: accepted or refused, started or not, and what they mean after expansion."""
import copy
import pathlib
import tempfile

import yaml

from sut.ports import free_ports
from sut.program import NotReady, fill, merge, run, save_yaml


def observe(world, group):
    common = {"base": group.get("base"), "commands": group.get("commands", ["validate"])}
    # A program that refuses everything would pass many cases.
    base = _case(world, common)
    wrong = {c: base[c] for c in common["commands"] if base[c] not in ("accepted", "started")}
    if wrong:
        return dict.fromkeys(group["cases"], RuntimeError(f"the base of the group: {wrong}"))
    out = {}
    for name, case in group["cases"].items():
        try:
            out[name] = _case(world, merge(common, case))
        except Exception as error:  # noqa: BLE001 - the next case has to run
            out[name] = error
    return out


def _trees(case):
    """The files of a case: texts or trees."""
    if "text" in case:
        return [case["text"]]
    if "files" in case:
        return case["files"]
    tree = copy.deepcopy(merge(case["base"], case.get("config") or {}))
    for path in case.get("remove", []):
        *parents, last = path.split("::")
        node = tree
        for key in parents:
            node = node[key]
        del node[last]
    return [tree]


def _case(world, case):
    names = {f"port{i}": port for i, port in enumerate(free_ports(4))}
    environment = {key: str(value) for key, value in case.get("environment", {}).items()}
    out = {}
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        names["dir"] = folder
        trees = [fill(tree, names) for tree in _trees(case)]
        arguments = _files(pathlib.Path(folder), case, trees) + fill(case.get("arguments", []), names)
        for command in case["commands"]:
            if command == "start":
                out |= _start(world, trees[0], environment)
                continue
            code, text, errors = run(world.binary, [command, *arguments], {**world.environment, **environment})
            out[command] = {0: "accepted", "timeout": "timeout"}.get(code, "refused")
            if code != 0:
                out[f"~{command}_text"] = (errors or text).strip().replace(folder, "DIR")[-700:]
            elif command == "print-config":
                printed = yaml.safe_load(text)
                out["values"] = {path: _at(printed, path) for path in case.get("select", [])}
    return out


def _files(folder, case, trees):
    for name, text in case.get("beside", {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    arguments = []
    for number, tree in enumerate(trees):
        path = folder / f"config{number}.yaml"
        if isinstance(tree, str):
            path.write_text(tree, encoding="utf-8")
        else:
            save_yaml(path, tree)
        arguments += ["--config", str(path)]
    return arguments


def _at(tree, path):
    for key in path.split("::"):
        tree = tree[int(key)] if isinstance(tree, list) else tree.get(key) if isinstance(tree, dict) else None
    return tree


def _start(world, tree, environment):
    try:
        with world.start(tree, environment=environment):
            return {"start": "started"}
    except NotReady as error:
        if error.port_taken:
            raise
        return {"start": "refused", "~start_text": str(error)[-500:]}
