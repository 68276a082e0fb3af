"""`awsatoll`: the AWS CLI, asked of Atoll, whatever the environment says of endpoints and keys.

    awsatoll ec2 describe-vpcs

An old AWS CLI ignores AWS_ENDPOINT_URL, and would ask the real AWS: `--endpoint-url` goes before everything else.
"""

import os
import shutil
import sys

MISSING = 127  # as shells say it


def main() -> int:  # noqa: RET503 - or never
    """Become the AWS CLI; returns only if there is none."""
    own = os.path.dirname(sys.executable)
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{own}"
    program = shutil.which("aws", path=path)
    if program is None:
        print("error: there is no AWS CLI on this machine\nnext:  pip install awscli", file=sys.stderr)
        return MISSING
    from atoll.cli.environment import variables

    given = variables()
    kept = {name: value for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if (value := os.environ.get(name))}
    key = os.environ.get("AWS_ACCESS_KEY_ID", "")
    if len(key) == 12 and key.isdigit():  # an account's: never a real key
        kept |= {"AWS_ACCESS_KEY_ID": key}
    dropped = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    endpoint = given["AWS_ENDPOINT_URL"]
    if kept and "AWS_REGION" not in kept:
        given["AWS_REGION"] = kept.get("AWS_DEFAULT_REGION", given["AWS_REGION"])
    sys.stdout.flush()
    os.execve(program, [program, "--endpoint-url", endpoint, *sys.argv[1:]], {**environment, **given, **kept})


if __name__ == "__main__":
    sys.exit(main())
