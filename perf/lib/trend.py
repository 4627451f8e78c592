"""Whether a series of samples grows: what perf/soak judges, with its tolerances."""
import itertools
import statistics

FEWEST = 8                                                 # samples that a verdict needs
MEMORY_SHARE, MEMORY_MIB = 0.03, 2                         # growth that counts as none
DESCRIPTORS_MORE = 1
LATENCY_FACTOR, LATENCY_MORE_MS = 1.5, 1


def slope(times, values):
    """Growth per unit of time: the median of the slopes between all pairs (Theil and Sen), which a few
    samples out of line cannot move."""
    slopes = [(values[j] - values[i]) / (times[j] - times[i])
              for i, j in itertools.combinations(range(len(times)), 2) if times[j] > times[i]]
    return statistics.median(slopes) if slopes else 0.0


def ends(values):
    """Medians of the first and of the last quarter."""
    quarter = max(1, len(values) // 4)
    return statistics.median(values[:quarter]), statistics.median(values[-quarter:])


def memory(seconds, mib):
    """Flat: the fitted line rises by 3 % of the mean and 2 MiB at most over the whole time, and so does
    the last quarter over the first (a step would hide from the line)."""
    first, last = ends(mib)
    rate = slope(seconds, mib)
    growth = max(rate * (seconds[-1] - seconds[0]), last - first)
    allowed = MEMORY_SHARE * statistics.mean(mib) + MEMORY_MIB
    return {"mib_per_hour": rate * 3600, "growth_mib": growth, "allowed_mib": allowed,
            "mean_mib": statistics.mean(mib), "max_mib": max(mib), "flat": growth <= allowed,
            "text": f"RSS {first:.1f} MiB, at the end {last:.1f} MiB, {rate * 3600:+.1f} MiB an hour; "
                    f"growth {growth:.1f} MiB, bar {allowed:.1f} MiB"}


def descriptors(seconds, numbers):
    """Flat: the last quarter has one descriptor more than the first at most."""
    first, last = ends(numbers)
    return {"per_hour": slope(seconds, numbers) * 3600, "first": first, "last": last,
            "max": max(numbers), "flat": last - first <= DESCRIPTORS_MORE,
            "text": f"descriptors {first:g}, at the end {last:g}, bar {first + DESCRIPTORS_MORE:g}"}


def latency(p99_ms):
    """Flat: the last quarter's p99 is 1.5 times the first's and 1 ms at most."""
    first, last = ends(p99_ms)
    allowed = LATENCY_FACTOR * first + LATENCY_MORE_MS
    return {"first_ms": first, "last_ms": last, "max_ms": max(p99_ms), "flat": last <= allowed,
            "text": f"p99 of the answers {first:.1f} ms, at the end {last:.1f} ms, bar {allowed:.1f} ms"}
