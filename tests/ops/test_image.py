"""The image and what stands around it: checked by the tools that there are, run as it would run where bubblewrap is.

No container engine is needed. What a tool is missing for is skipped, and says so.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.serving import find_free_port

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
UID = 10001
START_S = 60


def need(tool: str) -> str:
    """The path of a tool. Skips where it is not installed."""
    found = shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:{Path(sys.executable).parent}")
    if found is None:
        pytest.skip(f"`{tool}` is not installed")
    return found


def is_called(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)


# ---------------------------------------------------------------------- the Dockerfile


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    found = is_called(need("hadolint"), str(ROOT / "Dockerfile"))

    assert (found.returncode, found.stdout) == (0, "")


def test_the_image_is_made_in_two_stages_and_run_by_nobody_in_particular() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    last = DOCKERFILE.rpartition("FROM ")[2]

    assert len(stages) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", stage) for stage in stages), "a tag that says what it is"
    assert f"\nUSER {UID}\n" in last
    for line in ("STOPSIGNAL SIGTERM", "HEALTHCHECK", 'ENTRYPOINT ["permgate"]', "VOLUME /data"):
        assert line in last
    assert "/livez" in last and "/readyz" not in last
    assert DOCKERFILE.count("--require-hashes") == 2


def test_the_context_of_the_build_holds_what_it_copies() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]

    assert {"app", "seeds", "pyproject.toml", "README.md", "LICENSE"} <= set(kept)
    assert {"docs/deploy/build.lock", "docs/deploy/runtime.lock"} <= set(kept)
    assert all((ROOT / name).exists() for name in kept)


# ---------------------------------------------------------------------- what stands around it


def read_compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.example.yaml").read_text("utf-8"))
    return found


def test_the_example_runs_two_replicas_without_rights_and_without_a_secret_in_it() -> None:
    services = read_compose()["services"]
    replicas = [service for name, service in services.items() if name.startswith("gateway-")]

    assert len(replicas) == 2
    for service in replicas:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert int(service["stop_grace_period"].removesuffix("s")) >= 30
        assert service["secrets"] and "ports" not in service
    text = (ROOT / "compose.example.yaml").read_text("utf-8")
    assert re.findall(r"(?i)password: *[^\s{]|://[^ ]*:[^ ]*@", text) == []
    assert {name for service in services.values() for name in service.get("secrets", ())} <= set(
        read_compose()["secrets"]
    )


def test_its_settings_are_those_that_there_are() -> None:
    from app.settings import URL_FILE, Limits, Settings

    known = {f"PERMGATE_{name.upper()}" for name in (*Settings.__dataclass_fields__, *Limits.__dataclass_fields__)}
    for service in read_compose()["services"].values():
        names = {name for name in service.get("environment", {}) if name.startswith("PERMGATE_")}
        assert names <= known | {URL_FILE}


def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    nginx = need("nginx")
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    for name in ("gateway-1", "gateway-2"):
        text = text.replace(f"{name}:8000", "127.0.0.1:8000", 1)  # names that only compose resolves
    (tmp_path / "nginx.conf").write_text(text.replace("/tmp/", f"{tmp_path}/").replace("/dev/stderr", "stderr"))

    found = is_called(nginx, "-t", "-e", "stderr", "-c", str(tmp_path / "nginx.conf"))

    assert found.returncode == 0, found.stderr
    assert "[warn]" not in found.stderr


def test_haproxy_takes_its_configuration() -> None:
    found = is_called(need("haproxy"), "-c", "-f", str(DEPLOY / "haproxy.cfg"))

    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("name", ["nginx.conf", "haproxy.cfg"])
def test_a_proxy_waits_ten_seconds_for_a_client_and_shows_no_probe_of_ours(name: str) -> None:
    text = (DEPLOY / name).read_text("utf-8")

    waits = {
        "nginx.conf": ["client_header_timeout 10s;", "client_body_timeout 10s;", "limit_req zone=", "return 404;"],
        "haproxy.cfg": ["timeout http-request 10s", "timeout client 10s", "http_req_rate(10s)", "deny_status 404"],
    }[name]
    assert [wait for wait in waits if wait not in text] == []
    assert "/metrics" not in re.sub(r"#.*", "", text)


# ---------------------------------------------------------------------- run as the image is


def test_the_demo_runs_as_uid_10001_without_capabilities_on_a_read_only_root(tmp_path: Path) -> None:
    """What `docker run --read-only --cap-drop ALL` does: one writable folder, nobody's user, no way to more rights."""
    bwrap, setpriv = need("bwrap"), need("setpriv")
    if os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, UID, UID)
    port = find_free_port()
    probe = (
        "import json, os, pathlib, sys\n"
        "status = dict(line.split(':\\t') for line in open('/proc/self/status') if ':\\t' in line)\n"
        "written = []\n"
        "for folder in ('/', '/etc', '/usr/lib', '/data'):\n"
        "    try:\n"
        "        pathlib.Path(folder, 'probe').write_text('x'); written.append(folder)\n"
        "    except OSError: pass\n"
        "print(json.dumps({'ids': [os.getuid(), os.getgid(), *os.getgroups()], 'written': written,"
        " 'caps': [status[n].strip() for n in ('CapEff', 'CapPrm', 'CapBnd', 'CapInh')],"
        " 'no_new_privs': status['NoNewPrivs'].strip()}), flush=True)\n"
        "from app.cli import main\n"
        "main()\n"
    )
    folders = [f"/{name}" for name in ("usr", "etc", "bin", "sbin", "lib", "lib64", "opt") if Path(f"/{name}").is_dir()]
    folders += [str(path) for path in (sys.base_prefix, sys.prefix, ROOT) if not str(path).startswith("/usr")]
    parents = sorted({str(parent) for folder in folders for parent in Path(folder).parents} - {"/", "/tmp"})
    readable = [argument for parent in parents for argument in ("--perms", "0755", "--dir", parent)]
    readable += [argument for folder in folders for argument in ("--ro-bind", folder, folder)]
    command = [
        bwrap, "--tmpfs", "/tmp", *readable, "--dev", "/dev", "--proc", "/proc", "--bind", str(data), "/data",
        "--remount-ro", "/", "--chdir", "/data", "--unshare-pid", "--die-with-parent",
        "--clearenv", "--setenv", "TMPDIR", "/data", "--setenv", "PATH", "/usr/bin:/bin",
        "--setenv", "PYTHONPATH", str(ROOT), "--setenv", "PYTHONDONTWRITEBYTECODE", "1",
        setpriv, f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", "--inh-caps=-all",
        "--bounding-set=-all",
        sys.executable, "-c", probe, "demo", "--json", "--port", str(port),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stderr is not None
        first = process.stdout.readline()
        assert first, process.stderr.read()
        told = json.loads(first)
        assert told["ids"] == [UID, UID]
        assert told["caps"] == ["0000000000000000"] * 4
        assert (told["no_new_privs"], told["written"]) == ("1", ["/data"])
        second = process.stdout.readline()
        assert second, process.stderr.read()
        demo = json.loads(second)
        headers = {"authorization": f"Bearer {demo['tokens']['owner']}"}
        with httpx.Client(headers=headers, timeout=START_S) as client:
            data_of = [
                client.post(demo["graphql"], json={"query": query}).json()["data"]
                for query in ("{ viewer { user { userName } } }", "{ systems { key } }", "{ users { totalCount } }")
            ]
            made = client.post(
                demo["graphql"],
                json={"query": 'mutation { createUser(input: {userName: "new"}) { errors { code } revision } }'},
            ).json()["data"]["createUser"]
        assert data_of[0] == {"viewer": {"user": {"userName": "olga"}}}
        assert len(data_of[1]["systems"]) >= 5 and data_of[2]["users"]["totalCount"] >= 40
        assert made["errors"] == [] and made["revision"]
        assert [path.name for path in data.iterdir() if path.name.startswith("permgate-demo-")]
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
