"""The program: it starts, answers, changes to another run, and ends, as one process and as several."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager

import pytest

from alignrec_geo.serving import save_embeddings
from tests.serving.drawn import drawn

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


@contextmanager
def serving(run, *options):
    """A process that serves ``run`` on a free port: its address and itself."""
    command = [sys.executable, "-m", "alignrec_geo.cli.app", "serve", str(run), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            found = re.fullmatch(r"serving .+ at (http://127\.0\.0\.1:\d+) \(Ctrl-C ends\)\n", line)
            assert found, line + process.stderr.read()
            yield found[1], process
        finally:
            process.kill()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def current(tmp_path):
    """A link to a run, and the folder of another."""
    data = drawn().dataset
    for seed in (0, 1):
        save_embeddings(tmp_path / f"run-{seed}", drawn(seed=seed).embeddings, data)
    (tmp_path / "current").symlink_to(tmp_path / "run-0")
    return tmp_path / "current"


def change_over(current):
    (current.parent / "next").symlink_to(current.parent / "run-1")
    os.replace(current.parent / "next", current)


def expected(run, user):
    top = drawn(seed=int(run[-1]))
    top.dataset = drawn().dataset
    return [one._asdict() for one in top.recommend(user, 5)[user]]


# a process of its own: imports alone take two seconds
def test_one_process(current):
    with serving(current) as (url, process):
        ask = f"{url}/v1/recommend?user=u3&k=5"
        assert get(ask)["items"] == expected("run-0", "u3")
        change_over(current)
        process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 20
        while get(ask)["items"] != expected("run-1", "u3"):
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert out == ""
        assert "serving" in err
        assert "Traceback" not in err


@pytest.mark.slow
def test_several_workers_under_load(current):
    wanted = [expected(run, "u3") for run in ("run-0", "run-1")]
    with serving(current, "--workers", "2", "--allow-reload") as (url, process):
        done, wrong, answers = threading.Event(), [], []

        def ask():
            while not done.is_set():
                try:
                    items = get(f"{url}/v1/recommend?user=u3&k=5")["items"]
                    answers.append(wanted.index(items))
                except Exception as error:
                    wrong.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        change_over(current)
        request = urllib.request.Request(f"{url}/admin/reload", method="POST")
        assert json.load(urllib.request.urlopen(request, timeout=30))["reloaded"]
        time.sleep(2)
        # a worker that is killed is replaced
        children = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True)
        first, *_ = map(int, children.stdout.split())
        done.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert {0, 1} == set(answers)
        assert set(answers[-20:]) == {1}
        time.sleep(5)  # one that ends at once would not be replaced
        os.kill(first, signal.SIGKILL)
        until = time.monotonic() + 30
        while True:
            children = subprocess.run(
                ["pgrep", "-P", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True
            )
            if len(set(children.stdout.split()) - {str(first)}) == 2:
                break
            assert time.monotonic() < until
            time.sleep(0.1)
        assert get(f"{url}/health")["status"] == "ok"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=40)
        assert process.returncode == 0


def test_a_port_in_use(verb, current):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = verb("serve", current, "--port", port)
        done.refused(f"port {port} of 127.0.0.1 is in use", "name another with --port")


def test_what_cannot_be_served(verb, current, tmp_path, monkeypatch):
    verb("serve", tmp_path / "none", "--port", 0).refused("no such run folder")
    verb("serve", tmp_path, "--port", 0).refused("not a run folder with a trained model")
    verb("serve", current, "--port", 70000).refused("port must be from 0 to 65535 (got 70000)")
    verb("serve", current, "--host", "no.such.host.invalid").refused("this machine has no address")
    verb("serve", current, "--port", 0, "--index", "ann").refused("alignrec-geo index")
    verb("serve", current, "--port", 0, "--index", "best").refused("exact, ann")
    verb("serve", current, "--port", 0, "--timeout", 0).refused("timeout must be at least")
    damaged = tmp_path / "damaged"
    shutil.copytree(current, damaged)
    (damaged / "embeddings.safetensors").write_bytes(b"\0" * 100)
    verb("serve", damaged, "--port", 0).refused("embeddings.safetensors")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    from alignrec_geo.service import settings

    monkeypatch.setattr(settings, "NEEDED", ("no_such_package", "fastapi"))
    verb("serve", current).refused("the service needs no-such-package", "pip install 'alignrec-geo[serve]'")
