"""How much memory is free, read from files as Linux writes them."""

import sys
from types import SimpleNamespace

import pytest

from skposter.images._free_memory import check_fits, free_memory

GIB = 2**30


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_machine_alone(tmp_path):
    write(tmp_path, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    2048 kB\nSwapFree: 1 kB\n"})
    assert free_memory(tmp_path) == 2048 * 1024


@pytest.mark.parametrize(
    ("group", "folder"), [("0::/a/b", "sys/fs/cgroup/a"), ("0::/host/path", "sys/fs/cgroup")]
)
def test_a_containers_limit_counts_its_page_cache_as_free(tmp_path, group, folder):
    write(
        tmp_path,
        {
            "proc/meminfo": f"MemAvailable: {8 * GIB // 1024} kB\n",
            "proc/self/cgroup": f"{group}\n",
            f"{folder}/memory.max": f"{3 * GIB}\n",
            f"{folder}/memory.current": f"{2 * GIB}\n",
            f"{folder}/memory.stat": f"anon 5\ninactive_file {GIB // 2}\n",
            f"{folder}/b/memory.max": "max\n",
            f"{folder}/b/memory.current": "5\n",
        },
    )
    assert free_memory(tmp_path) == 1.5 * GIB


def test_a_limit_of_the_first_version_of_control_groups(tmp_path):
    write(
        tmp_path,
        {
            "proc/meminfo": f"MemAvailable: {8 * GIB // 1024} kB\n",
            "proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/job\n0::/\n",
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/job/memory.usage_in_bytes": f"{2 * GIB}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "0\n",
        },
    )
    assert free_memory(tmp_path) == 0


def test_where_there_are_no_such_files_psutil_is_asked(tmp_path, monkeypatch):
    told = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=3 * GIB))
    monkeypatch.setitem(sys.modules, "psutil", told)
    assert free_memory(tmp_path) == 3 * GIB


@pytest.mark.parametrize("fault", ["not installed", "does not tell"])
def test_without_an_answer_nothing_is_known_and_nothing_refused(tmp_path, monkeypatch, fault):
    def does_not_tell():
        raise OSError("host_statistics64 failed")

    broken = None if fault == "not installed" else SimpleNamespace(virtual_memory=does_not_tell)
    monkeypatch.setitem(sys.modules, "psutil", broken)
    assert free_memory(tmp_path) is None


def test_this_machine_has_some():
    assert free_memory() is None or free_memory() > 0


def test_only_what_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("skposter.images._free_memory.free_memory", lambda: GIB)
    check_fits((1, 2**15, 2**15, 1), "")
    with pytest.raises(MemoryError, match=r"1\.0 GiB, and 1\.0 GiB of memory are free\. Advice"):
        check_fits((1, 2**15, 2**15 + 1, 1), "Advice.")
    monkeypatch.setattr("skposter.images._free_memory.free_memory", lambda: None)
    check_fits((10**9, 1000, 1000, 3), "")
