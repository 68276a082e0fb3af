"""The user's scripts at the stages of the daemon's life, as LocalStack has them: boot, start, ready, shutdown.

They run in a program of their own (`host/hook_program.py`), which was started in the machine's network: the daemon
leaves that for the keeper's.  A failing script is named in the log and the status, and holds nothing up.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atoll.control.events import log
from atoll.host import hook_program
from atoll.host.hook_program import STAGES

SCRIPT_SECONDS_MAX = 300.0
SHUTDOWN_SECONDS_MAX = 20.0  # of all that is to happen at the end; `atoll down` waits for a minute


class Hooks:
    """The scripts of one directory, and what became of them."""

    def __init__(self, directory: Path | None, variables: Mapping[str, str]) -> None:
        """Start the program that runs them, with these variables; None: there are none.  Raises OSError."""
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._reading = threading.Lock()
        self._done: set[str] = set()
        self._scripts: dict[tuple[str, str], dict[str, Any]] = {}
        if directory and any(hook_program.scripts(str(directory), stage) for stage in STAGES):
            program = str(Path(hook_program.__file__).resolve())
            own = os.path.dirname(sys.executable)
            path = f"{own}{os.pathsep}{os.environ.get('PATH', '')}"
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", program, str(directory.absolute()), str(SCRIPT_SECONDS_MAX)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", start_new_session=True,
                env={**os.environ, **variables, "PATH": path},
            )  # fmt: skip

    def boot(self) -> None:
        """Run the scripts of the first stage, before there is anything else."""
        self._run("boot")

    async def run(self, stage: str) -> None:
        """Run the scripts of a stage, and wait for their end; what runs of another stage is interrupted."""
        if self._process is None:
            self._done.add(stage)
            return
        work = asyncio.ensure_future(asyncio.to_thread(self._run, stage))
        await asyncio.wait([work], timeout=SHUTDOWN_SECONDS_MAX if stage == "shutdown" else None)

    def close(self) -> None:
        """End the program."""
        if self._process:
            assert self._process.stdin, "it is piped"
            self._process.stdin.close()
            try:
                self._process.wait(1)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def report(self) -> dict[str, Any]:
        """Say which stages are over, and what became of each script, in LocalStack's words."""
        return {
            "completed": {stage.upper(): stage in self._done for stage in STAGES},
            "scripts": [dict(script) for script in self._scripts.values()],
        }

    def _run(self, stage: str) -> None:
        process = self._process
        if process is None:
            self._done.add(stage)
            return
        assert process.stdin, "it is piped"
        assert process.stdout, "it is piped"
        try:
            process.stdin.write(f"{stage}\n".encode())
            process.stdin.flush()  # this ends what runs of another stage
            with self._reading:
                while stage not in self._done and (line := process.stdout.readline()):
                    self._note(json.loads(line))
        except (OSError, ValueError) as error:  # it was killed
            log("hooks not run", stage=stage, because=str(error))
        self._done.add(stage)

    def _note(self, said: dict[str, Any]) -> None:
        if said.get("done"):
            self._done.add(said["stage"])
            return
        script = {"stage": said["stage"].upper(), **{k: v for k, v in said.items() if k != "stage"}}
        self._scripts[said["stage"], said["name"]] = script
        if said["state"] != "RUNNING":
            about = {k: said[k] for k in ("stage", "name", "seconds", "because") if k in said}
            log("hook failed" if said["state"] == "ERROR" else f"hook {said['state'].lower()}", **about)
