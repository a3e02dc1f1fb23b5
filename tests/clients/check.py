"""The gate as its clients see it: the demonstration's lines, curl over HTTP/1.1 and HTTP/2, pydruid.

Starts `msq-gate demo`, types what it prints, and looks at what comes back. Before a real Druid (check.py GATE URL) it also
looks at what is left there.
"""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

from pydruid.db import connect
from pydruid.db.exceptions import ProgrammingError


def read_demo(process):
    """What the demonstration prints, up to its last line"""
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("End with Ctrl-C"):
            return lines
    raise SystemExit(f"the demonstration ended early: {lines}")


def steps(lines):
    """Each printed line to copy, and the status that its story promises"""
    for story, command in zip(lines, lines[1:]):
        match = re.fullmatch(r"# \d+\. (.*): (\d{3})", story)
        if match:
            yield match[1], int(match[2]), command


def shell(command, variables):
    done = subprocess.run(["bash", "-c", command], env={**os.environ, **variables}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def check_demo(lines, variables):
    checked = 0
    for story, status, command in steps(lines):
        output = shell(command + " -w '\\n%{http_code}'", variables)
        body, _, code = output.rpartition("\n")
        assert int(code) == status, f"{story}: {code} in place of {status}: {body}"
        if status == 403:
            assert json.loads(body)["receipt"]["missing"], body
        print(f"  {code} {story}")
        checked += 1
    assert checked >= 10, f"only {checked} lines were found"


def check_curl(variables):
    body = json.dumps({"query": "SELECT page FROM wikipedia"})
    refused = json.dumps({"query": "SELECT page FROM sales"})
    for version, flag in (("2", "--http2"), ("1.1", "--http1.1")):
        base = (
            f"curl -s {flag} --cacert $CA -H \"Authorization: Bearer $VERA\" -H 'Content-Type: application/json' "
            "$GATE/druid/v2/sql -w '\\n%{http_code} %{http_version}' -d "
        )
        rows, _, told = shell(f"{base}'{body}'", variables).rpartition("\n")
        assert told == f"200 {version}", told
        assert {"page": "Rust"} in json.loads(rows), rows
        answer, _, told = shell(f"{base}'{refused}'", variables).rpartition("\n")
        assert told == f"403 {version}", told
        assert json.loads(answer)["receipt"]["missing"] == ["READ DATASOURCE sales"], answer
        print(f"  curl over HTTP/{version}: rows, and a refusal that says what is missing")


def check_pydruid(variables):
    host, port = variables["GATE"].removeprefix("https://").split(":")
    common = dict(host=host, port=int(port), path="/druid/v2/sql/", scheme="https", ssl_verify_cert=variables["CA"])
    ways = {
        "jwt=": dict(jwt=variables["VERA"]),
        "token as Basic password": dict(user="anybody", password=variables["VERA"]),
    }
    for name, way in ways.items():
        cursor = connect(**common, **way).cursor()
        rows = [row.page for row in cursor.execute("SELECT page FROM wikipedia")]
        assert "Rust" in rows, rows
        try:
            list(connect(**common, **way).cursor().execute("SELECT page FROM sales"))
            raise SystemExit("vera read sales")
        except ProgrammingError as error:
            assert "missing READ DATASOURCE sales" in str(error), error
            print(f"  pydruid with {name}: {rows}, and: {error}")
    for name, way in {"a token of nobody's": dict(jwt="a.b.c"), "no token": {}}.items():
        try:
            list(connect(**common, **way).cursor().execute("SELECT 1"))
            raise SystemExit(f"{name} passed")
        except ProgrammingError as error:
            print(f"  pydruid with {name}: {error}")


def datasources(druid):
    """What a real Druid has, used or not"""
    with urllib.request.urlopen(f"{druid}/druid/coordinator/v1/metadata/datasources?includeUnused") as answer:
        return set(json.load(answer))


def main():
    druid = sys.argv[2] if len(sys.argv) > 2 else None
    before = datasources(druid) if druid else None
    demo = subprocess.Popen([sys.argv[1], "demo", *(["--druid", druid] if druid else [])], stdout=subprocess.PIPE, text=True)
    try:
        lines = read_demo(demo)
        variables = dict(match.groups() for line in lines if (match := re.fullmatch(r"([A-Z]+)=(\S+)", line)))
        check_demo(lines, variables)
        if druid is None:
            check_curl(variables)
            check_pydruid(variables)
        else:
            made = datasources(druid) - before
            assert made and all(name.startswith("msq_gate_demo_") for name in made), made
    finally:
        demo.send_signal(signal.SIGTERM if druid else signal.SIGINT)
        code = demo.wait(timeout=300)
    if druid:
        assert datasources(druid) == before, "the demonstration left datasources behind"
        print(f"  made and removed {', '.join(made)}")
    assert code == 0, f"the demonstration ended with {code}"
    assert not os.path.exists(os.path.dirname(variables["CA"])), "the demonstration left its folder behind"


if __name__ == "__main__":
    main()
