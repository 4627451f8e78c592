"""What perf/compare and perf/soak share: processes and what they use, sinks, spanweir's metrics page."""
import ctypes
import json
import os
import platform
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

PERF = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(PERF)
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Failure(Exception):
    """A run that says nothing about speed: something did not start, or ended too early."""


class LoadEnded(Failure):
    """The generator had nothing more to send."""


def free_ports(count):
    """Free ports below the range that the kernel takes for outgoing connections."""
    found = set()
    while len(found) < count:
        port = random.randrange(15000, 32000)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
                found.add(port)
            except OSError:
                pass
    return list(found)


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read()


class Process:
    """A process under measurement, on a core of its own if wanted; it ends when we end."""

    def __init__(self, argv, core, log, env=None):
        def prepare():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if core >= 0:
                os.sched_setaffinity(0, {core})

        self.log = open(log, "wb")
        self.began = time.monotonic()
        self.popen = subprocess.Popen(argv, stdout=self.log, stderr=subprocess.STDOUT,
                                      env=env, preexec_fn=prepare)

    def alive(self):
        return self.popen.poll() is None

    def cpu(self):
        """utime + stime of the whole process, in seconds."""
        with open(f"/proc/{self.popen.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def status_kib(self, key):
        with open(f"/proc/{self.popen.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        return 0

    def rss_kib(self):
        with open(f"/proc/{self.popen.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * PAGE_KIB

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.popen.pid}/fd"))

    def words(self):
        """What it has printed so far."""
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_until(self, what, probe, seconds, step=0.01):
        """Calls probe until it does not raise; returns what it returned."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.alive():
            try:
                return probe()
            except (OSError, urllib.error.URLError):
                time.sleep(step)
        raise Failure(f"{what}: not ready\n{self.words()[-2000:]}")

    def wait(self, seconds):
        """Until it ends, or that long."""
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def stop(self, wait=60, gently=True):
        if self.alive():
            self.popen.send_signal(signal.SIGTERM if gently else signal.SIGKILL)
        try:
            code = self.popen.wait(wait)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            code = self.popen.wait()
        self.log.close()
        return code


class Sink:
    """A backend (sw-sink) with its control port."""

    def __init__(self, tools, core, folder, number, record, *arguments, host="127.0.0.1"):
        self.port, self.control = free_ports(2)
        self.record = os.path.join(folder, f"received{number}.bin") if record else None
        argv = [os.path.join(tools, "sw-sink"), "--control", f"127.0.0.1:{self.control}"]
        if record:
            argv += ["--record", self.record]
        self.process = Process(argv + list(arguments) + [f"{host}:{self.port}"], core,
                               os.path.join(folder, f"sink{number}.log"))
        self.process.wait_until(f"sink {number}", self.counts, 5)

    def counts(self):
        return json.loads(get(self.control, "/counts"))

    def set(self, query):
        get(self.control, "/set?" + query)

    def stop(self):
        self.process.stop()


def progress_lines(load):
    """The progress lines that sw-loadgen has printed."""
    lines = []
    for line in load.words().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def next_interval(load):
    """Ends an interval of sw-loadgen now; returns its line: counts so far, latencies since the last."""
    before = len(progress_lines(load))
    load.popen.send_signal(signal.SIGUSR1)
    end = time.monotonic() + 5
    while time.monotonic() < end and load.alive():
        lines = progress_lines(load)
        if len(lines) > before:
            return lines[before]
        time.sleep(0.005)
    kind = Failure if load.alive() else LoadEnded
    raise kind(f"sw-loadgen gave no progress line\n{load.words()[-2000:]}")


def settle(sink, seconds, limit=180):
    """Waits until nothing has arrived for that long; returns the spans that have."""
    last, since, end = -1, time.monotonic(), time.monotonic() + limit
    while time.monotonic() - since < seconds and time.monotonic() < end:
        spans = sink.counts()["spans"]
        if spans != last:
            last, since = spans, time.monotonic()
        time.sleep(0.1)
    return last


def check(tools, arguments, sent, received):
    """What sw-check says."""
    argv = [os.path.join(tools, "sw-check")] + list(map(str, arguments)) + [sent, received]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 1):
        raise Failure(f"sw-check: {result.stderr}")
    return json.loads(result.stdout)


def check_text(told):
    """The checker's word in short."""
    if not told:
        return "-"
    if told["good"]:
        return "good"
    bad = [key for key in ("missing", "duplicates", "unexpected", "refused_but_delivered",
                           "traces_in_part", "traces_lost", "traces_wrongly_kept") if told[key]]
    return ", ".join(f"{key} {told[key]}" for key in bad)


# --- spanweir's own metrics page -----------------------------------------------------------------

STEPS = "spanweir_worker_step_seconds"
STEP_LIMIT = 1e-3


def read_page(port):
    """{series: value} of the lines that only spanweir has; of its histograms' buckets those of the
    worker steps alone. Empty when there is no page."""
    page = {}
    try:
        text = get(port, "/metrics/all").decode()
    except OSError:
        return page
    for line in text.splitlines():
        if line.startswith(STEPS) or (line.startswith("spanweir_") and "_bucket" not in line):
            name, _, value = line.rpartition(" ")
            page[name] = float(value)
    return page


def steps_of(page):
    """Worker steps by length, all workers together, from the histogram on the page:
    {"count", "over_1ms", "over_ms": {bound: steps}, "longest_ms": the bound that none passed, or None
    when some passed all}. None when the page has no such histogram."""
    bounds, count = {}, 0
    for name, value in page.items():
        bound = re.search(r'[{,]le="([^"]+)"', name)
        if not name.startswith(STEPS + "_bucket") or not bound:
            continue
        if bound[1] == "+Inf":
            count += int(value)
        else:
            bounds[float(bound[1])] = bounds.get(float(bound[1]), 0) + int(value)
    if not bounds:
        return None
    over = {bound: count - within for bound, within in sorted(bounds.items())}
    limit = min((b for b in over if b >= STEP_LIMIT * 0.999), default=None)
    none_over = [bound for bound, steps in over.items() if steps == 0]
    return {"count": count, "over_1ms": None if limit is None else over[limit],
            "over_ms": {f"{1000 * b:g}": n for b, n in over.items() if b >= STEP_LIMIT * 0.999},
            "longest_ms": 1000 * min(none_over) if none_over else None}


def steps_text(steps):
    longest = "over all bounds" if steps["longest_ms"] is None else f"up to {steps['longest_ms']:g} ms"
    return (f"{steps['over_1ms']:,} of {steps['count']:,} worker steps took longer than 1 ms, "
            f"the longest {longest}")


class Books:
    """Looks at the balance on a page again and again."""

    def __init__(self, port):
        self.port, self.scrapes, self.bad = port, 0, 0

    def look(self):
        errors = [value for name, value in read_page(self.port).items()
                  if name.startswith("spanweir_balance_error")]
        self.scrapes += bool(errors)
        self.bad += any(errors)


# --- surroundings --------------------------------------------------------------------------------


def end_cleanly():
    """SIGTERM ends like any error: processes and files go first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        for line in text:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                            capture_output=True, text=True, check=False).stdout.strip()
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "commit": commit, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "load_before": os.getloadavg()[0]}


def add_binaries(parser):
    parser.add_argument("--spanweir", default=os.path.join(ROOT, "build", "spanweir"))
    parser.add_argument("--rival", default=os.path.join(ROOT, ".cache", "rivals", "otelcol"))
    parser.add_argument("--tools", default=os.path.join(ROOT, "build", "perf"),
                        help="folder of sw-loadgen, sw-sink, sw-check (build/perf)")
    parser.add_argument("--json", help="file for the results (perf/results/local/TIME.json)")


def find_binaries(options, subjects):
    """Ends the program when one is missing."""
    options.tools = os.path.abspath(options.tools)
    if not os.access(os.path.join(options.tools, "sw-loadgen"), os.X_OK):
        sys.exit(f"no sw-loadgen in {options.tools}: build first (scripts/build), or say --tools FOLDER")
    for subject, hint in (("rival", "perf/rivals/build makes it"), ("spanweir", "scripts/build")):
        if subject in subjects and not os.access(getattr(options, subject), os.X_OK):
            sys.exit(f"{getattr(options, subject)} is missing: {hint}")


def write_report(options, report, prefix=""):
    """Into --json, or where results go by default; returns the path."""
    path = options.json
    if not path:
        folder = os.path.join(PERF, "results", "local")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, time.strftime(prefix + "%Y%m%d-%H%M%S.json"))
    with open(path, "w", encoding="utf-8") as out:
        json.dump(report, out, indent=2)
        out.write("\n")
    return path


def print_rows(rows):
    """A table; the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(widths[0]) if i == 0 else cell.rjust(widths[i])
                               for i, cell in enumerate(row)), flush=True)


def print_verdict(bars):
    """Lines (text, met, whether it is only a goal)."""
    for text, met, goal in bars:
        words = ("reached", "not yet") if goal else ("met", "NOT MET")
        print(f"  {words[not met]:8} {text}", flush=True)
