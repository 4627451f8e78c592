#!/usr/bin/env python3
"""Holds the includes of the sources against the order of modules in the root meson.build.

  scripts/layers.py               checks the tree
  scripts/layers.py --self-test   shows that each rule can fail

The rules:
- a module includes only what stands above it in the list, and only modules that its meson.build names
  in `deps` (or that those name);
- across modules only public headers: no *_internal.h, nothing that is not a header (tables, *.def, are
  headers too);
- dataplane knows nothing of sampling, storage and control, but that exporters (dataplane/send and balance, which
  stand behind storage in the list) are made with a queue, retries and files; sampling and storage know neither each
  other nor control; nobody includes control but control;
- a library's headers are included behind its door only;
- the system is called in base, l4_stream, worker/launch.c, storage/files and control only.
"""
import argparse
import fnmatch
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("dataplane", "sampling", "storage", "control")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"')

# Library headers, and who may include them. Tests and perf/ are not held to this.
DOORS = [
    (["nghttp2/*"], "nghttp2", ["dataplane/l7_http/*"]),
    (["yaml.h"], "libyaml", ["control/conf/*"]),
    (["libconfig.h*"], "libconfig", ["control/appliance/*"]),
    (["jemalloc/*"], "jemalloc", ["dataplane/base/mem.c"]),
    (["rte_rcu*"], "DPDK rcu", ["dataplane/base/snapshot.*"]),
    (["rte_*"], "DPDK", ["dataplane/base/ring.*", "dataplane/base/snapshot.*"]),
    (["isa-l/crc.h"], "ISA-L's CRC", ["dataplane/base/crc32c.c"]),
    (["libdeflate.h", "isa-l/*", "isa-l.h", "igzip_lib.h", "zlib.h", "zstd*.h", "snappy*", "lz4*.h"],
     "a codec",
     ["dataplane/l7_http/codec*"]),
    (["protobuf-c/*", "*.pb-c.h"], "protobuf-c", ["dataplane/otlp/*"]),
    (["openssl/*"], "OpenSSL", ["dataplane/l6_tls/*", "dataplane/base/digest.c"]),
    (["pcre2*"], "PCRE2", ["dataplane/base/pattern*"]),
    (["hs/*", "hs.h"], "Hyperscan", ["sampling/policy/regex.c"]),
    (["lmdb.h"], "LMDB", ["storage/journal/*"]),
    (["ares*"], "c-ares", ["control/discover/*"]),
]

# Headers of system calls, and calls that need none of them.
SYSTEM = ["unistd.h", "fcntl.h", "pthread.h", "threads.h", "sched.h", "signal.h", "poll.h", "dirent.h", "netdb.h",
          "ifaddrs.h", "syslog.h", "spawn.h", "semaphore.h", "aio.h", "arpa/*", "netinet/*", "net/*", "linux/*",
          "sys/socket.h", "sys/un.h", "sys/epoll.h", "sys/eventfd.h", "sys/timerfd.h", "sys/signalfd.h",
          "sys/mman.h", "sys/stat.h", "sys/statvfs.h", "sys/wait.h", "sys/ioctl.h", "sys/select.h", "sys/poll.h",
          "sys/random.h", "sys/resource.h", "sys/prctl.h", "sys/syscall.h", "sys/sysinfo.h", "sys/sendfile.h",
          "sys/inotify.h", "sys/file.h", "sys/uio.h", "sys/time.h", "sys/times.h", "sys/utsname.h"]
CALLS = re.compile(r"(?<![\w.>])(clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|getenv|secure_getenv|fopen|"
                   r"freopen|popen|system|getrandom|rand|random|srand|exit|_exit)\s*\(")
CALLERS = ["dataplane/base/*", "dataplane/l4_stream/*", "dataplane/worker/launch.c",
           "dataplane/worker/worker_internal.h", "dataplane/l2_port/*", "storage/journal/*", "storage/files/*", "control/*"]


class Tree:
    """What the rules look at."""

    def __init__(self, root):
        self.root = root
        text = (root / "meson.build").read_text(encoding="utf-8")
        listed = re.search(r"^modules = \[(.*?)^\]", text, re.S | re.M)
        if not listed:
            sys.exit("layers: the root meson.build has no list `modules`")
        self.modules = re.findall(r"'([^']+)'", re.sub(r"#.*", "", listed.group(1)))
        self.place = {module: index for index, module in enumerate(self.modules)}
        self.direct = {module: self._deps(module) for module in self.modules}
        self.files = sorted(p.relative_to(root).as_posix() for folder in FOLDERS if (root / folder).is_dir()
                            for p in (root / folder).rglob("*") if p.suffix in (".c", ".h", ".def"))

    def _deps(self, module):
        """What the module's meson.build declares; None while it has none."""
        path = self.root / module / "meson.build"
        if not path.exists():
            return None
        found = re.search(r"^deps\s*=\s*\[(.*?)\]", re.sub(r"#.*", "", path.read_text(encoding="utf-8")), re.S | re.M)
        return set(re.findall(r"'([^']+)'", found.group(1))) if found else set()

    def reachable(self, module):
        """The module's declared dependencies, and theirs."""
        seen, left = set(), list(self.direct[module] or ())
        while left:
            dep = left.pop()
            if dep not in seen:
                seen.add(dep)
                left += self.direct.get(dep) or ()
        return seen

    def module_of(self, path):
        """The module that a file stands in: its folder, or one above it."""
        folder = path.rpartition("/")[0]
        while folder:
            if folder in self.place:
                return folder
            folder = folder.rpartition("/")[0]
        return None


def code_of(text):
    """The text with comments and strings blanked, line for line."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return COMMENT.sub(blank, TEXT.sub(blank, text))


def allowed(path, patterns):
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def check_top_folders(path, target):
    mine, other = path.split("/")[0], target.split("/")[0]
    if mine == other or other not in FOLDERS:
        return None
    if other == "control":
        return "nothing but control includes control"
    if path.startswith(("dataplane/send/", "dataplane/balance/")) and target.startswith(("storage/queue/", "storage/retry/", "storage/files/")):
        return None
    if mine == "dataplane":
        return f"dataplane knows nothing of {other}"
    if {mine, other} == {"sampling", "storage"}:
        return "sampling and storage do not know each other"
    return None


def check_own_include(tree, path, target):
    """One #include "..." of the project: a complaint or None."""
    if not (tree.root / target).exists():
        return "there is no such file; includes are written by their path from the root"
    if problem := check_top_folders(path, target):
        return problem
    mine, other = tree.module_of(path), tree.module_of(target)
    if target.split("/")[0] not in FOLDERS:
        return "the product includes neither tests nor tools"
    if other is None:
        return "this file belongs to no module of the list in the root meson.build"
    if mine == other:
        return None
    if not target.endswith((".h", ".def")):
        return "only headers are included across modules"
    if target.endswith("_internal.h"):
        return f"this header is private to {other}"
    if mine is None:
        return None                                          # control/main.c, above all modules
    if tree.place[other] > tree.place[mine]:
        return f"{mine} stands above {other} in the list of modules; includes go up the list"
    if tree.direct[mine] is not None and other not in tree.reachable(mine):
        return f"{mine}/meson.build does not name {other} in `deps`"
    return None


def check_system_include(path, target):
    """One #include <...>: a complaint or None."""
    for patterns, library, doors in DOORS:
        if allowed(target, patterns):
            return None if allowed(path, doors) else f"{library} has one door: {', '.join(doors)}"
    if allowed(target, SYSTEM) and not allowed(path, CALLERS):
        return f"the system is called in {', '.join(CALLERS)} only"
    return None


def check_file(tree, path):
    """(line, what is wrong) for each complaint about a file."""
    text = (tree.root / path).read_text(encoding="utf-8")
    code = code_of(text)
    found = []
    if tree.module_of(path) is None and path != "control/main.c":
        found.append((1, "this file belongs to no module of the list in the root meson.build"))
    for match in INCLUDE.finditer(text):
        if code[match.start():match.end()].strip() == "":
            continue                                         # in a comment
        own, system = match.groups()
        problem = check_own_include(tree, path, own) if own else check_system_include(path, system)
        if problem:
            found.append((text.count("\n", 0, match.start(1 if own else 2)) + 1, f"includes {own or system}: {problem}"))
    if not allowed(path, CALLERS):
        for match in CALLS.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            found.append((line, f"calls {match.group(1)}(): clock, randomness, files and the end are injected"))
    return found


def check(root):
    tree = Tree(root)
    complaints = [f"{path}:{line}: {text}" for path in tree.files for line, text in check_file(tree, path)]
    for module in tree.modules:
        for dep in sorted(tree.direct[module] or ()):
            if dep not in tree.place:
                complaints.append(f"{module}/meson.build: `deps` names {dep}, which is no module")
            elif tree.place[dep] >= tree.place[module]:
                complaints.append(f"{module}/meson.build: `deps` names {dep}, which stands below it in the list")
    return complaints, len(tree.files)


# --- the self-test -------------------------------------------------------------------------------

MESON = "modules = [\n    'dataplane/base',\n    'dataplane/l7_http',\n    'dataplane/otlp',\n" \
        "    'sampling/verdict',\n    'storage/batch',\n    'dataplane/worker',\n    'control/conf',\n]\n"
GOOD = {
    "meson.build": MESON,
    "dataplane/base/meson.build": "deps = []\n",
    "dataplane/base/buf.h": "#include <stdint.h>\n",
    "dataplane/base/mem.c": "#include <jemalloc/jemalloc.h>\n#include <unistd.h>\n",
    "dataplane/base/err.def": "X\n",
    "dataplane/l7_http/meson.build": "deps = ['dataplane/base']\n",
    "dataplane/l7_http/http.h": '#include "dataplane/base/buf.h"\n',
    "dataplane/l7_http/http2_internal.h": "#include <nghttp2/nghttp2.h>\n",
    "dataplane/l7_http/http2.c": '#include "dataplane/l7_http/http2_internal.h"\n// time(NULL) is not called\n',
    "dataplane/otlp/meson.build": "deps = ['dataplane/l7_http']\n",
    "dataplane/otlp/span.h": '#include "dataplane/base/buf.h"\n#include "dataplane/l7_http/http.h"\n',
    "sampling/verdict/verdict.h": "",
    "storage/batch/batch.h": "",
    "dataplane/worker/launch.c": "#include <pthread.h>\n",
    "control/conf/conf.h": "",
    "control/conf/yaml.c": '#include <yaml.h>\n#include "sampling/verdict/verdict.h"\n',
    "control/main.c": '#include "control/conf/conf.h"\n',
}
BAD = [
    ("an include down the list", "dataplane/base/up.c", '#include "dataplane/otlp/span.h"\n', "go up the list"),
    ("a private header", "dataplane/otlp/x.c", '#include "dataplane/l7_http/http2_internal.h"\n', "private to"),
    ("a source of another module", "dataplane/otlp/x.c", '#include "dataplane/base/mem.c"\n', "only headers"),
    ("dataplane to sampling", "dataplane/worker/x.c", '#include "sampling/verdict/verdict.h"\n', "dataplane knows nothing"),
    ("storage to sampling", "storage/batch/x.c", '#include "sampling/verdict/verdict.h"\n', "do not know each other"),
    ("sampling to storage", "sampling/verdict/x.c", '#include "storage/batch/batch.h"\n', "do not know each other"),
    ("dataplane to control", "dataplane/worker/x.c", '#include "control/conf/conf.h"\n', "nothing but control"),
    ("an undeclared module", "dataplane/l7_http/meson.build", "deps = []\n", "does not name"),
    ("a dependency down the list", "dataplane/base/meson.build", "deps = ['dataplane/otlp']\n", "stands below"),
    ("nghttp2 elsewhere", "dataplane/otlp/x.c", "#include <nghttp2/nghttp2.h>\n", "nghttp2 has one door"),
    ("libyaml elsewhere", "dataplane/base/x.c", "#include <yaml.h>\n", "libyaml has one door"),
    ("a codec in HTTP/2", "dataplane/l7_http/http2.c", "#include <libdeflate.h>\n", "a codec has one door"),
    ("DPDK elsewhere", "dataplane/base/buf.h", "#include <rte_ring.h>\n", "DPDK has one door"),
    ("a system call's header", "dataplane/otlp/x.c", "#include <sys/socket.h>\n", "the system is called in"),
    ("a system call", "dataplane/otlp/x.c", "int x(void) { return time(0); }\n", "calls time()"),
    ("threads in the loop", "dataplane/worker/loop.c", "#include <pthread.h>\n", "the system is called in"),
    ("a missing file", "dataplane/otlp/x.c", '#include "span.h"\n', "no such file"),
    ("the product on tests", "dataplane/otlp/x.c", '#include "tests/lib/bench.h"\n', "neither tests nor tools"),
    ("a folder that is no module", "dataplane/extra/x.c", "", "belongs to no module"),
]


def write_tree(folder, files):
    for name, text in {**files, "tests/lib/bench.h": ""}.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def self_test():
    failed = 0
    with tempfile.TemporaryDirectory(prefix="layers-") as folder:
        write_tree(folder, GOOD)
        complaints, _ = check(pathlib.Path(folder))
        if complaints:
            failed += 1
            print("FAIL a clean tree:", *complaints, sep="\n  ")
    for name, path, text, expected in BAD:
        with tempfile.TemporaryDirectory(prefix="layers-") as folder:
            write_tree(folder, {**GOOD, path: text})
            complaints, _ = check(pathlib.Path(folder))
            if not any(expected in line for line in complaints):
                failed += 1
                print(f"FAIL {name}: no complaint with '{expected}', but {complaints}")
    print(f"self-test of layers: {len(BAD) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--self-test", action="store_true")
    if parser.parse_args().self_test:
        return self_test()
    complaints, count = check(ROOT)
    for line in complaints:
        print(line)
    print(f"layers: {count} files, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
